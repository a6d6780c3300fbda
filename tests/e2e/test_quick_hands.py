"""Labeling by very quick hands while the model refits, and through a server that is killed meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from probal.store import Store
from probal.types import Project
from probal.workspace import DATABASE, Workspace
from tests.drawn import SHAPES, draw_shapes
from tests.e2e.hands import check_stored, counted_requests, strike_keys
from tests.e2e.server import Server
from tests.e2e.test_loop import wait_for
from tests.web.harness import painted, saved

pytestmark = [pytest.mark.browser, pytest.mark.embedded]
KEYS = 150
POOL = 240


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a project; its server makes it ready."""
    folder = tmp_path_factory.mktemp("hands")
    draw_shapes(folder / "pool", POOL)
    with Workspace(folder / "workspace") as workspace:
        workspace.create_project("hands", images=folder / "pool", classes=SHAPES, batch_size=20)
    return folder / "workspace"


@pytest.fixture
def server(prepared: Path, tmp_path: Path) -> Iterator[Server]:
    with Server(prepared, tmp_path / "server.log") as running, Store.open(prepared / DATABASE) as store:
        project = store.project("hands")
        wait_for(lambda: store.latest_round(project.id), "first batch")
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def rounds(store: Store, project: Project) -> int:
    return len(store.rounds(project.id))


def test_every_key_counts_once_for_the_image_it_was_struck_for(
    page: Page, server: Server, prepared: Path
) -> None:
    with Store.open(prepared / DATABASE) as store, counted_requests(page) as sent:
        project = store.project("hands")
        page.goto(f"{server.url}/label?project=hands")
        painted(page)
        page.wait_for_timeout(1000)  # the page itself is drawn
        asked = len(sent)
        hands = strike_keys(page, KEYS, seed=1)
        saved(page)
        assert len(sent) == asked, "labeling asked Streamlit's server to run a page"
        counted = check_stored(hands, store, project)
        assert len(counted) > KEYS // 2
        assert rounds(store, project) >= 2


def test_a_server_killed_and_restarted_in_the_middle_loses_and_doubles_nothing(
    page: Page, server: Server, prepared: Path
) -> None:
    with Store.open(prepared / DATABASE) as store:
        project = store.project("hands")
        before = store.watermark(project.id)
        page.goto(f"{server.url}/label?project=hands")
        painted(page)
        page.wait_for_timeout(1000)
        restart = threading.Thread(target=server.start)

        def strike(i: int) -> None:
            if i == 20:
                server.kill()
            elif i == 35:
                restart.start()  # takes seconds; the hands go on meanwhile

        hands = strike_keys(page, 60, seed=2, before=strike)
        restart.join()
        saved(page)
        counted = check_stored(hands, store, project, before)
        assert len(counted) > 20
        assert hands.struck.index(counted[-1]) >= 20, "nothing was struck after the kill that counted"
