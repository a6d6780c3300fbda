"""Labeling by very quick hands while the model refits, and through a server that is killed meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from probal.store import Store
from probal.workspace import DATABASE, Workspace
from tests.browser import open_window
from tests.drawn import SHAPES, draw_shapes
from tests.e2e.every_page import settled
from tests.e2e.hands import check_stored, counted_requests, quiet, strike_keys
from tests.e2e.server import Server
from tests.patience import WORK_SECONDS, wait_for
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
        wait_for(lambda: store.latest_round(project.id), "first batch", WORK_SECONDS)
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = open_window(browser)
    yield page
    page.context.close()


def test_every_key_counts_once_for_the_image_it_was_struck_for(
    page: Page, server: Server, prepared: Path
) -> None:
    with Store.open(prepared / DATABASE) as store, counted_requests(page) as sent:
        project = store.project("hands")
        page.goto(f"{server.url}/label?project=hands")
        painted(page)
        settled(page)
        asked = quiet(page, sent)
        hands = strike_keys(page, KEYS, seed=1, counted=KEYS // 2)
        saved(page)
        assert len(sent) == asked, "labeling asked Streamlit's server to run a page"
        assert len(check_stored(hands, store, project)) >= KEYS // 2
        wait_for(lambda: len(store.rounds(project.id)) >= 2, "second round", WORK_SECONDS)


def test_a_server_killed_and_restarted_in_the_middle_loses_and_doubles_nothing(
    page: Page, server: Server, prepared: Path
) -> None:
    with Store.open(prepared / DATABASE) as store:
        project = store.project("hands")
        before = store.watermark(project.id)
        page.goto(f"{server.url}/label?project=hands")
        painted(page)
        settled(page)
        restart = threading.Thread(target=server.start)

        def strike(i: int) -> None:
            if i == 20:
                server.kill()
            elif i == 35:
                restart.start()  # takes its time; the hands go on meanwhile

        hands = strike_keys(page, 60, seed=2, before=strike, counted=25)
        restart.join()
        saved(page)
        counted = check_stored(hands, store, project, before)
        assert len(counted) >= 25
        assert hands.struck.index(counted[-1]) >= 20, "nothing was struck after the kill that counted"
