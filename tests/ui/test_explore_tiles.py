"""The thumbnails of Explore in a browser: chosen by keys and clicks, sent once, cleared by the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import browser, open_window

__all__ = ["browser"]
pytestmark = pytest.mark.browser

UI = Path(__file__).resolve().parents[2] / "probal" / "ui"
MOUNT = """async ([source, epoch]) => {
  window.component ??= (await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })))).default;
  window.sent ??= [];
  const tiles = [11, 12, 13, 14].map((id) => ({ id, url: "data:,", name: `${id}.png`, caption: "cat 90%" }));
  window.component({
    parentElement: document.getElementById("here"),
    data: { tiles, label: "Images", epoch },
    setStateValue: (name, value) => window.sent.push([name, value]),
  });
}"""


def mounted(browser: Browser) -> Page:
    page = open_window(browser)
    css = (UI / "explore_tiles.css").read_text("utf-8")
    page.set_content(f"<style>{css}</style><div id=here></div>")
    show(page, 0)
    return page


def show(page: Page, epoch: int) -> None:
    page.evaluate(MOUNT, [(UI / "explore_tiles.js").read_text("utf-8"), epoch])


def chosen(page: Page) -> list[int]:
    found = page.locator("[role=option][aria-selected=true]")
    return [int(each.get_attribute("data-id") or 0) for each in found.all()]


def test_keys_alone_choose_images_and_the_page_hears_of_it_once(browser: Browser) -> None:
    page = mounted(browser)
    page.keyboard.press("Tab")
    for key in ("Space", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert chosen(page) == [11, 13]
    page.wait_for_function("() => window.sent.length > 0")
    assert page.evaluate("window.sent") == [["chosen", {"epoch": 0, "ids": [11, 13]}]]
    page.keyboard.press("Control+a")
    assert chosen(page) == [11, 12, 13, 14]
    page.keyboard.press("Escape")
    assert chosen(page) == []
    page.context.close()


def test_shift_and_a_click_choose_a_row_of_them(browser: Browser) -> None:
    page = mounted(browser)
    page.locator("[data-id='11']").click()
    page.locator("[data-id='13']").click(modifiers=["Shift"])
    assert chosen(page) == [11, 12, 13]
    page.locator("[data-id='12']").click()
    assert chosen(page) == [11, 13]
    page.context.close()


def test_a_rerun_keeps_the_choice_and_an_action_ends_it(browser: Browser) -> None:
    page = mounted(browser)
    page.locator("[data-id='12']").click()
    show(page, 0)
    assert chosen(page) == [12]
    show(page, 1)
    assert chosen(page) == []
    page.context.close()
