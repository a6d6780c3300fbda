"""The name given on the Label page holds on the other pages, in this session and in the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from probal.types import EventKind, Project
from probal.workspace import Workspace
from tests.browser import open_window
from tests.drawn import ready, workspace
from tests.e2e.server import running
from tests.pages.test_pages import Make
from tests.test_people import say

__all__ = ["ready", "workspace"]
pytestmark = pytest.mark.browser


@pytest.fixture
def project(ready: Make, workspace: Workspace) -> Project:
    """Two people who differ on two images."""
    made = ready()
    say(workspace, made, "ann", {0: 0, 1: 1, 2: 2})
    say(workspace, made, "bob", {0: 0, 1: 2, 2: 1})
    return made


@pytest.fixture
def url(workspace: Workspace, project: Project, tmp_path: Path) -> Iterator[str]:
    with running(workspace.path, tmp_path / "log") as address:
        yield address


def test_who_labels_is_who_decides(
    browser: Browser, url: str, workspace: Workspace, project: Project
) -> None:
    page = open_window(browser, height=900)
    page.goto(f"{url}/label?project=shapes")
    page.get_by_test_id("person").click()
    page.get_by_test_id("person-name").fill("Zoë, 2nd")
    page.get_by_role("button", name="Label under this name").click()
    expect(page.get_by_test_id("person")).to_have_text("Zoë, 2nd")
    page.wait_for_selector("[data-testid=labeler][data-image-id]")
    page.get_by_role("link", name="People").click()
    expect(page.get_by_text("You decide as Zoë, 2nd")).to_be_visible()
    page.get_by_role("button", name="triangle").click()
    expect(page.get_by_role("heading", name="To decide (1)")).to_be_visible()

    again = page.context.new_page()
    again.goto(f"{url}/people?project=shapes")
    expect(again.get_by_text("You decide as Zoë, 2nd")).to_be_visible()
    decided = [
        one.event for one in workspace.store.events(project.id) if one.event.kind is EventKind.ADJUDICATE
    ]
    assert [event.annotator for event in decided] == ["Zoë, 2nd"]
    page.context.close()
