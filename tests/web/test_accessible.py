"""The labeling surface under axe-core: no serious or critical finding, in either theme, at either width."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from probal.workspace import Workspace
from tests.browser import open_window
from tests.e2e.axe import findings
from tests.web.harness import ROOT, Harness, painted, strike
from tests.web.test_grid_api import pool_of, predict

pytestmark = pytest.mark.browser

DARK = {
    "--st-text-color": "#e6e9ed",
    "--st-background-color": "#12161b",
    "--st-secondary-background-color": "#1b2129",
    "--st-primary-color": "#118278",
}


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    browser: Browser, harness: Harness, workspace: Workspace, theme: str, width: int
) -> None:
    pool = pool_of(workspace, harness.project)
    predict(workspace, harness.project, pool, [0.9] * len(pool))
    page = open_window(browser, width)
    page.goto(harness.url)
    if theme == "dark":
        for name, value in DARK.items():
            page.evaluate("([name, value]) => document.body.style.setProperty(name, value)", [name, value])
        page.evaluate("document.body.style.background = 'var(--st-background-color)'")
    painted(page)
    for key in "123":
        strike(page, key)
    page.locator("[data-testid=why] summary").click()
    assert findings(page, ROOT) == []
    page.keyboard.press("?")
    assert findings(page, ROOT) == []
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    assert findings(page, ROOT) == []
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.wait_for_selector("[data-testid=grid][data-page] .pal-tile")
    page.locator(".pal-tile").first.click()
    assert findings(page, ROOT) == []
    page.context.close()


@pytest.mark.parametrize("sheet", ["help", "flag"])
def test_a_sheet_closes_on_escape_and_gives_the_focus_back(page: Page, sheet: str) -> None:
    button = page.get_by_test_id(sheet)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(button).to_be_focused()
