"""The form for a new project in a browser: an encoder that stands in no list is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from probal.workspace import Workspace
from tests.browser import open_window
from tests.drawn import SHAPES, draw_shapes, workspace
from tests.e2e.server import running

__all__ = ["workspace"]
pytestmark = pytest.mark.browser


def test_a_typed_encoder_that_is_none_is_told_and_nothing_is_made(
    browser: Browser, workspace: Workspace, tmp_path: Path
) -> None:
    draw_shapes(tmp_path / "pool", 4)
    with running(workspace.path, tmp_path / "log") as url:
        page = open_window(browser, height=1000)
        page.goto(url)
        page.get_by_role("textbox", name="Folder of your images").fill(str(tmp_path / "pool"))
        page.get_by_role("textbox", name="Class names").fill("\n".join(SHAPES))
        page.get_by_text("More settings").click()
        page.get_by_role("combobox", name="Encoder").fill("clop:ViT")
        page.keyboard.press("Enter")
        expect(page.get_by_text("its package and weights must be there")).to_be_visible()
        page.get_by_role("button", name="Create project").click()
        error = page.get_by_test_id("stAlertContentError")  # the preview may have warned of it as well
        expect(error).to_contain_text("Unknown encoder")
        page.context.close()
    assert workspace.store.projects() == []
