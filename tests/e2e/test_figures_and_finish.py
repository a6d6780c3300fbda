"""Progress, Engine and Finish in a browser: by keyboard alone, figures saved as pictures and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from probal import finished
from probal.types import Project
from probal.workspace import Workspace
from tests.browser import open_window
from tests.drawn import ready, workspace
from tests.e2e.every_page import plan, settled
from tests.e2e.server import running
from tests.pages.test_pages import Make, label_images
from tests.pages.test_progress import measured

__all__ = ["ready", "workspace"]
pytestmark = pytest.mark.browser


@pytest.fixture
def project(ready: Make, workspace: Workspace) -> Project:
    """60 images, all labeled but for the model's word, measured once."""
    made = ready(n=60, audit=30)
    label_images(workspace, made, 60)
    measured(workspace, made.id)
    plan(workspace, made)
    return made


@pytest.fixture
def url(workspace: Workspace, project: Project, tmp_path: Path) -> Iterator[str]:
    with running(workspace.path, tmp_path / "log") as address:
        yield address


def press_until(page: Page, key: str, what: str, most: int = 60) -> None:
    """Strike a key until the focused element says `what`."""
    for _ in range(most):
        focused = page.evaluate(
            "(e => e.matches('button') ? e.innerText + e.ariaLabel : '')(document.activeElement)"
        )
        if what in focused:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{what!r} was not reached by {key}")


def test_figures_are_reached_and_saved_by_keyboard(browser: Browser, url: str) -> None:
    page = open_window(browser, height=1000)
    page.goto(f"{url}/progress?project=shapes")
    expect(page.locator(".js-plotly-plot .modebar-btn").first).to_be_visible()
    settled(page)
    press_until(page, "Tab", "Download plot")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.suggested_filename == "shapes-accuracy.svg"
    assert b"<svg" in Path(saved.value.path()).read_bytes()[:200]
    press_until(page, "Tab", "Numbers (CSV)")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.suggested_filename == "shapes-accuracy.csv"
    assert Path(saved.value.path()).read_text().startswith("series,labels,accuracy")
    page.get_by_role("tab", name="Accuracy").focus()
    for name in ("Classes", "Calibration"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("off by 6.0 points")).to_be_visible()
    page.context.close()


def test_a_finish_is_chosen_kept_and_taken_back_by_keyboard(
    browser: Browser, url: str, workspace: Workspace, project: Project
) -> None:
    page = open_window(browser, height=1000)
    page.goto(f"{url}/finish?project=shapes")
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("Look at some of them")).to_be_visible()
    pictures = page.locator(".pal-sample img")
    expect(pictures).to_have_count(24)
    assert pictures.first.evaluate("img => img.decode().then(() => img.naturalWidth)") > 0
    settled(page)
    press_until(page, "Tab", "Keep these")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The model labeled")).to_be_visible()
    record = finished.record(workspace, project)
    assert record is not None
    assert record.precision == 0.8
    settled(page)
    press_until(page, "Tab", "Take back")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Take the model's labels back")).to_be_visible()
    press_until(page, "Tab", "Take the model's labels back")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The model labeled")).to_have_count(0)
    assert finished.record(workspace, project) is None
    page.context.close()
