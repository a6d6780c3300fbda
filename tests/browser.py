"""Headless Chromium for the tests that need one: the system's own, driven through Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import patience

FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
PATIENCE_MS = patience.SECONDS * 1000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing, a failure in CI and elsewhere a skip that says so.

    Not for the whole session: while Playwright runs, its event loop is the thread's, and no other test could
    start one.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing = "no Chromium on this machine: install the package 'chromium' to run the browser tests"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS), timeout=PATIENCE_MS)
        yield chromium
        chromium.close()


def open_window(browser: Browser, width: int = 1280, height: int = 800, **more: Any) -> Page:
    """A page in a browser context of its own, as patient as `expect`; closing its context closes it."""
    context = browser.new_context(viewport={"width": width, "height": height}, **more)
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()
