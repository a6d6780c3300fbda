"""How soon a page of 100 thumbnails of a 100,000-image project can be answered.

    python -m benchmarks.grid_page [--images 100000] [--json OUT]

From the key that opens the grid to the frame in which a key counts (`page`), and until every thumbnail that fits
the window is loaded (`seen`); the first page's thumbnails are made on the way, the second opening finds them. The
images are drawn, 640 pixels wide; only those of the page exist as files. Needs Chromium.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from probal.pool.predictions import predictions_path, write_predictions
from probal.pool.scan import scan_folder
from probal.types import ImageState, Project, ScannedImage
from probal.workspace import Workspace
from tests.browser import FLAGS
from tests.drawn import propose_all
from tests.web.harness import painted, serve

REAL = 400
CLASSES = ("circle", "square", "triangle")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Workspace(Path(folder) / "workspace") as workspace:
        project = build(workspace, Path(folder) / "pool", args.images)
        with serve(workspace, project) as running, sync_playwright() as playwright:
            page = playwright.chromium.launch(executable_path=args.chromium, args=list(FLAGS)).new_page()
            page.set_viewport_size({"width": 1280, "height": 1000})
            page.goto(running.url)
            painted(page)
            found = {
                "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}",
                "images": args.images,
                "first": opened(page),
                "again": [opened(page) for _ in range(5)],
            }
    print(json.dumps(found, indent=2))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


def build(workspace: Workspace, folder: Path, n: int) -> Project:
    """A project of `n` images, of which the surest `REAL` exist."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(REAL):
        low = generator.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(low).resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{i:06d}.jpg")
    project = workspace.create_project("large", images=folder, classes=CLASSES, audit=0.0)
    rest = [
        ScannedImage(
            f"{i:06d}.jpg", hashlib.sha256(str(i).encode()).hexdigest(), 640, 480, 1, 1, ImageState.OK
        )
        for i in range(REAL, n)
    ]
    workspace.store.sync_images(project.id, [*scan_folder(folder), *rest])
    propose_all(workspace, project, n=20)
    images = workspace.store.images(project.id)
    sure = np.where([image.bytes > 1 for image in images], 0.99, 0.5)
    p = np.column_stack([sure, (1 - sure) / 2, (1 - sure) / 2])
    path = predictions_path(workspace.snapshots_dir, project.id)
    write_predictions(
        path,
        [image.id for image in images],
        [info.id for info in workspace.store.classes(project.id)],
        p,
        sure,
        sure,
    )
    return project


def opened(page: Page) -> dict[str, float]:
    """Opens the grid and leaves it again; milliseconds until a key counts, and until what fits is loaded."""
    began = time.perf_counter()
    page.keyboard.press("g")
    page.wait_for_selector("[data-testid=grid][data-page] .pal-tile")
    answerable = time.perf_counter()
    n = page.locator(".pal-tile").count()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pal-tile img')].every((image) => image.complete)"
    )
    loaded = time.perf_counter()
    page.keyboard.press("Escape")
    painted(page)
    return {"tiles": n, "page": round(1000 * (answerable - began)), "seen": round(1000 * (loaded - began))}


if __name__ == "__main__":
    main()
