"""Own vectors without pictures in a real browser: a card with the item's name is painted, and labels land on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from probal.pool.vector_scan import scan_vectors
from probal.workspace import Workspace
from tests.browser import open_window
from tests.drawn import SHAPES, propose_all
from tests.web.harness import painted, saved, serve, strike

pytestmark = pytest.mark.browser


def test_a_card_is_painted_and_labeled(browser: Browser, workspace: Workspace, tmp_path: Path) -> None:
    names = [f"item {i} <of> {i % 3}" for i in range(12)]
    np.savez(tmp_path / "own.npz", x=np.random.default_rng(0).normal(size=(12, 4)), id=names)
    project = workspace.create_project("own", vectors=tmp_path / "own.npz", classes=SHAPES, batch_size=100)
    table = workspace.own_vectors(project)
    assert table is not None
    workspace.store.sync_images(project.id, scan_vectors(table, None))
    job = workspace.store.claim("test", project.id)
    assert job is not None
    propose_all(workspace, project)
    workspace.store.finish(job.id)
    with serve(workspace, project) as running:
        page = open_window(browser)
        page.goto(running.url)
        first = painted(page)
        size = page.evaluate(
            "() => { const e = document.querySelector('[data-testid=labeler-image]'); "
            "return [e.naturalWidth, e.naturalHeight, e.complete]; }"
        )
        assert size == [1280, 1280, True]
        strike(page, "2")
        saved(page)
        assert running.labels() == {first: "square"}
        page.context.close()
