"""Every page in both themes, at the width of a laptop and of a phone: axe-core, and Tab alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from probal.workspace import Workspace
from tests.browser import open_window
from tests.e2e.axe import findings
from tests.e2e.every_page import PAGES, full_project, open_page, settled
from tests.e2e.keyboard import walk
from tests.e2e.server import running

pytestmark = pytest.mark.browser
LAPTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
LOOKS: tuple[tuple[Literal["light", "dark"], ViewportSize], ...] = (
    ("light", LAPTOP),
    ("light", PHONE),
    ("dark", LAPTOP),
    ("dark", PHONE),
)
THEME = "(theme) => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === theme"
STILL = """
    * { animation: none !important; transition: none !important; }
    [data-testid=stElementContainer] { opacity: 1 !important; }
"""
"""What is under way is nobody's: colours between two states, and what Streamlit pales while it draws it anew."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pages")
    with Workspace(folder / "workspace") as workspace:
        full_project(workspace, folder)
    with running(folder / "workspace", folder / "log") as address:
        yield address


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    """One window for all: what Streamlit loads is loaded once."""
    page = open_window(browser)
    yield page
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_well_and_needs_no_mouse(window: Page, url: str, name: str) -> None:
    look(window, "light", LAPTOP)
    open_page(window, url, name)
    window.add_style_tag(content=STILL)
    for way in (None, *PAGES[name].parts):
        if way is not None:
            way(window)
            settled(window)
        walked = walk(window)
        assert walked.controls > 1
        assert walked.missed == ()
        assert walked.unseen == ()
        for theme, size in LOOKS if way is None else (LOOKS[0], LOOKS[-1]):
            look(window, theme, size)
            assert findings(window) == [], (theme, size)
            window.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
        look(window, "light", LAPTOP)


def look(window: Page, theme: Literal["light", "dark"], size: ViewportSize) -> None:
    """Shows the page in a theme, in a window of that size."""
    window.emulate_media(color_scheme=theme)
    window.set_viewport_size(size)
    if window.url != "about:blank":
        window.wait_for_function(THEME, arg=theme)
        settled(window)


def test_a_popover_closes_on_escape_and_gives_the_focus_back(window: Page, url: str) -> None:
    open_page(window, url, "explore")
    button = window.get_by_role("button", name="Filters")
    button.focus()
    window.keyboard.press("Enter")
    expect(window.get_by_text("Confidence of the prediction")).to_be_visible()
    window.keyboard.press("Escape")
    expect(window.get_by_text("Confidence of the prediction")).to_have_count(0)
    expect(button).to_be_focused()
