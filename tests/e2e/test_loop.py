"""The whole loop in a browser: folder → project → a round of keys → curve → next batch → export → restart."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from playwright.sync_api import Browser, Page, expect

from probal.store import Store
from probal.types import Project, Role
from probal.workspace import DATABASE
from tests.browser import open_window
from tests.drawn import SHAPES, draw_shapes
from tests.e2e.server import running
from tests.patience import SECONDS, WORK_SECONDS, wait_for
from tests.web.harness import ROOT, painted, saved, strike

pytestmark = [pytest.mark.browser, pytest.mark.embedded]


def proposed(store: Store, project: Project, index: int) -> list[int] | None:
    """Image ids of a round's batch, None before it is there."""
    found = [one for one in store.rounds(project.id) if one.index == index]
    return [proposal.image_id for proposal in store.proposals(found[0].id)] if found else None


def create_project(page: Page, folder: Path) -> None:
    box = page.get_by_role("textbox", name="Folder of your images")
    box.fill(str(folder))
    box.press("Enter")
    expect(page.get_by_role("textbox", name="Project name")).to_have_value("drawn-pool")
    names = page.get_by_role("textbox", name="Class names")
    names.fill("\n".join(SHAPES))
    names.press("Control+Enter")
    expect(page.get_by_text(f"{len(SHAPES)} classes:")).to_be_visible()
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", name="drawn-pool")).to_be_visible()


def label_until(page: Page, store: Store, project: Project, truth: dict[str, str], n: int) -> list[int]:
    """Labels images by keyboard, each with the class it was drawn as, until `n` labels are stored."""
    paths = {image.id: image.path for image in store.images(project.id)}
    keys = {info.name: info.key for info in store.classes(project.id)}
    images = []
    while len(images) < n:
        key = keys[truth[paths[painted(page)]]]
        assert key is not None
        images.append(strike(page, key))
    saved(page)
    return images


def test_the_loop(browser: Browser, tmp_path: Path) -> None:
    truth = draw_shapes(tmp_path / "drawn pool", 96)
    workspace, log = tmp_path / "workspace", tmp_path / "server.log"
    page = open_window(browser)

    with running(workspace, log) as url:
        page.goto(url)
        create_project(page, tmp_path / "drawn pool")
        store = Store.open(workspace / DATABASE)
        project = store.project("drawn-pool")
        first_batch = wait_for(lambda: proposed(store, project, 0), "first batch", WORK_SECONDS)
        page.get_by_role("button", name="Label", exact=True).click()
        answered = label_until(page, store, project, truth, project.config.batch_size)
        audit = {image.id for image in store.images(project.id, role=Role.AUDIT)}
        assert set(answered) <= audit | set(first_batch)
        assert set(answered) & audit
        assert set(answered) & set(first_batch)
        assert len(store.current_labels(project.id)) == len(answered)

        next_batch = wait_for(lambda: proposed(store, project, 1), "second batch", WORK_SECONDS)
        assert next_batch
        assert not set(next_batch) & set(answered)
        assert next_batch != first_batch
        expect(page.get_by_test_id("progress")).to_contain_text("Batch 2")

        page.get_by_role("link", name="Progress").click()
        expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible()
        wait_for(
            lambda: len(store.metrics(project.id, "accuracy")) >= 2, "second point on the curve", WORK_SECONDS
        )
        points = {point.labels: point for point in store.metrics(project.id, "accuracy")}
        assert points.keys() >= {0, len(answered)}
        assert all(point.low is not None and point.low <= point.value for point in points.values())
        expect(page.locator(".js-plotly-plot .scatterlayer .point").nth(1)).to_be_attached()

        page.get_by_role("link", name="Label").click()
        strike(page, "z")
        saved(page)
        wait_for(lambda: len(store.current_labels(project.id)) == len(answered) - 1, "undone label")
        assert painted(page) == answered[-1]

        page.get_by_role("link", name="Export").click()
        page.get_by_role("button", name="A folder per class", exact=True).click()
        page.get_by_role("button", name="Export", exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download as zip").click()
        check_export(Path(download.value.path()), truth, len(answered) - 1)

    # the worker went with the server: its lock is free
    try:
        FileLock(workspace / "worker.lock").acquire(timeout=SECONDS).lock.release()
    except Timeout:
        pytest.fail(f"the worker outlived the server\n{log.read_text()}")

    with running(workspace, log) as url:
        page.goto(f"{url}/label?project=drawn-pool")
        assert painted(page) not in answered[:-1]
        expect(page.get_by_test_id("progress")).to_contain_text(f"{len(answered) - 1} in all")
        expect(page.locator(ROOT)).to_have_count(1)
        page.goto(f"{url}/progress?project=drawn-pool")
        expect(page.locator(".js-plotly-plot .scatterlayer .point").nth(1)).to_be_attached()
        page.goto(url)
        page.wait_for_url("**/label?project=drawn-pool")
    assert len(store.current_labels(project.id)) == len(answered) - 1
    store.close()
    page.context.close()


def check_export(archive: Path, truth: dict[str, str], n: int) -> None:
    """The zip holds a table of `n` right labels, and each image in the folder of its class."""
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
        table = next(name for name in names if name.endswith("labels.csv"))
        rows = list(csv.DictReader(io.StringIO(packed.read(table).decode())))
    assert len(rows) == n
    assert all(truth[row["path"]] == row["label"] for row in rows)
    images = [name for name in names if name.endswith(".png")]
    assert len(images) == n
    assert all(Path(name).parent.name == truth[Path(name).name] for name in images)
