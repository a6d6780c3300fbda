"""How soon the map of 50,000 images is on the screen, and how long it takes to draw.

    python -m benchmarks.explore_map [--images 50000] [--draw] [--json OUT]

`first`: from asking for the page to the frame with every point painted, in a new window of a server just started, so
with loading Streamlit and Plotly; `again`: from the click on Explore on another page, three times; `color`: from the
click on another colour to its frame. The map lies on disk before; with --draw it is UMAP's, timed, else random
places. Vectors without pictures, 128 wide, in 20 clusters. Needs Chromium, which paints without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from probal.explore import files
from probal.explore.pool_map import draw_map
from probal.session import Session
from probal.types import ImageState, Role
from probal.workspace import Workspace
from tests.browser import FLAGS
from tests.e2e.server import Server

CLUSTERS, WIDTH = 20, 128
PAINTED = """(n) => {
  const plot = document.querySelector(".js-plotly-plot");
  const points = (plot?._fullData ?? []).reduce((sum, trace) => sum + (trace._length ?? 0), 0);
  return points === n && plot.querySelector("canvas") !== null;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--draw", action="store_true", help="by UMAP, timed")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, object] = {
        "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}",
        "images": args.images,
    }
    with tempfile.TemporaryDirectory() as folder:
        seconds = build(Path(folder), args.images, args.draw)
        if args.draw:
            found["draw_seconds"] = seconds
        with (
            Server(Path(folder) / "workspace", Path(folder) / "log") as server,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=args.chromium, args=list(FLAGS))
            found["first"], page = opened(browser, server.url, args.images)
            found["again"] = [returned(page, args.images) for _ in range(3)]
            found["color"] = recolored(page)
    print(json.dumps(found, indent=2))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))


def build(folder: Path, n: int, draw: bool) -> float:
    """A prepared project of `n` vectors and its map; seconds that the map took."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLUSTERS, WIDTH)).astype(np.float32)
    of = rng.integers(CLUSTERS, size=n)
    x = centres[of] + rng.normal(size=(n, WIDTH)).astype(np.float32)
    names = np.array([f"class {i}" for i in range(CLUSTERS)])
    np.savez(
        folder / "large.npz",
        x=x,
        names=np.array([f"{i:06d}" for i in range(n)]),
        classnames=names,
        text_x=centres,
    )
    with Workspace(folder / "workspace") as workspace:
        project = workspace.create_project("large", vectors=folder / "large.npz", audit=0)
        Session(workspace, "large").prepare()
        began = time.perf_counter()
        if draw:
            draw_map(workspace, project, lambda *_: None)
        else:
            images = workspace.store.images(project.id, state=ImageState.OK, role=Role.POOL)
            files.write_arrays(
                files.folder(workspace, project) / files.MAP,
                image_id=np.array([image.id for image in images]),
                xy=rng.uniform(-1, 1, (n, 2)).astype(np.float32),
                fingerprint=np.array("random"),
            )
        for job in workspace.store.jobs(project.id):  # prepared above: the worker has nothing left to do
            workspace.store.claim("benchmark", project.id)
            workspace.store.finish(job.id)
        return round(time.perf_counter() - began, 1)


def opened(browser: Browser, url: str, n: int) -> tuple[int, Page]:
    """Milliseconds from asking for the page to the painted map, in a window of its own."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    began = time.perf_counter()
    page.goto(f"{url}/explore?project=large")
    page.wait_for_function(PAINTED, arg=n, timeout=120_000)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return round(1000 * (time.perf_counter() - began)), page


def returned(page: Page, n: int) -> int:
    """Milliseconds from the click on Explore in the list of pages to the painted map."""
    page.get_by_role("link", name="Export").click()
    page.get_by_role("heading", name="Export").wait_for()
    page.wait_for_timeout(1000)
    began = time.perf_counter()
    page.get_by_role("link", name="Explore").click()
    page.wait_for_function(PAINTED, arg=n, timeout=120_000)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return round(1000 * (time.perf_counter() - began))


def recolored(page: Page) -> int:
    """Milliseconds from the click on another colour to its frame."""
    began = time.perf_counter()
    page.get_by_text("Uncertainty", exact=True).click()
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot')?.data?.at(-1).name === 'uncertainty'"
    )
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return round(1000 * (time.perf_counter() - began))


if __name__ == "__main__":
    main()
