"""The labeler on a bare page, with the real API and store behind it: Streamlit's part left out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from probal.store import Store
from probal.types import EventKind, Project, StoredEvent
from probal.ui.context import workspace_id
from probal.web.api import create_api
from probal.web.hosts import KnownHosts
from probal.web.labeler import script, style
from probal.web.media import MediaMiddleware
from probal.workspace import Workspace
from tests.patience import SECONDS, wait_for

ROOT = "[data-testid=labeler]"
PAINTED = f"{ROOT}[data-image-id]"
ANNOTATOR = "ada"
KEYS = {"1": "circle", "2": "square", "3": "triangle"}

PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>%(style)s</style>
<body style="--st-text-color:#222;--st-background-color:#fff;--st-secondary-background-color:#eee;
--st-primary-color:#0f766e"><input id="elsewhere"><div id="here"></div><script type="module">
import labeler from "/script.js";
const data = %(data)s;
window.rerun = (more = {}) => { window.leave = labeler({parentElement: here, data: {...data, ...more}}); };
window.struck = [];
window.addEventListener("keydown", (event) => {
  const root = document.querySelector("%(root)s");
  if (root) struck.push({key: event.key, image: Number(root.dataset.imageId), seq: Number(root.dataset.seq)});
}, true);
window.leases = []; // each once it is taken in: its images, and whether it was asked for after a refusal was told,
const call = window.fetch; // or to swap what waits for the images of a new round
window.fetch = async (url, options) => {
  const swap = "keep" in JSON.parse(options.body ?? "{}"), told = !!document.querySelector("[data-testid=toast]");
  const answer = await call(url, options);
  if (!url.endsWith("/lease") || !answer.ok) return answer;
  const body = await answer.json();
  answer.json = async () => body;
  setTimeout(() => leases.push({swap, told, images: body.items.map((item) => item.image_id)})); // its reader is first
  return answer;
};
rerun();
</script>"""


@dataclass(frozen=True)
class Harness:
    url: str
    store: Store
    project: Project

    def events(self) -> list[StoredEvent]:
        return self.store.events(self.project.id)

    def labels(self) -> dict[int, str]:
        """Class name by image id, as the store has it now."""
        names = {info.id: info.name for info in self.store.classes(self.project.id)}
        return {label.image_id: names[label.class_id] for label in self.store.current_labels(self.project.id)}


@contextmanager
def serve(workspace: Workspace, project: Project) -> Iterator[Harness]:
    """Serves the page on a free port of 127.0.0.1 until the block ends."""
    classes = workspace.store.classes(project.id)
    data = {
        "api": "/api",
        "workspace": workspace_id(workspace),
        "project": project.name,
        "token": workspace.token,
        "annotator": ANNOTATOR,
        "classes": [{"id": info.id, "name": info.name, "key": info.key} for info in classes],
    }
    page = PAGE % {"style": style(), "data": json.dumps(data), "root": ROOT}

    def index(_: Request) -> Response:
        return HTMLResponse(page)

    def module(_: Request) -> Response:
        return Response(script(), media_type="text/javascript")

    app = Starlette(
        routes=[Route("/", index), Route("/script.js", module), Mount("/api", create_api(workspace))],
        middleware=[Middleware(KnownHosts), Middleware(MediaMiddleware, workspace=workspace)],
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "server of the test")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Harness(f"http://127.0.0.1:{port}/", workspace.store, project)
    finally:
        server.should_exit = True
        thread.join(SECONDS)


def painted(page: Page) -> int:
    """Waits until an image is on screen; its id."""
    page.wait_for_selector(PAINTED)
    return int(page.get_attribute(ROOT, "data-image-id") or 0)


def seq_of(page: Page) -> int:
    """Number of the painting on screen; 0 while there is none."""
    return int(page.get_attribute(ROOT, "data-seq") or 0)


def after_seq(page: Page, seq: int) -> None:
    """Waits for a later painting than this."""
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.seq) > {seq}")


def strike(page: Page, key: str) -> int:
    """Presses a key once an image is on screen, and waits for the next painting; the image it was for."""
    image = painted(page)
    seq = seq_of(page)
    page.keyboard.press(key)
    after_seq(page, seq)
    return image


def strike_at(page: Page, key: str, at: float) -> None:
    """A key whose time in milliseconds of the page's clock is chosen."""
    page.evaluate(
        """([key, at]) => {
            const struck = new KeyboardEvent("keydown", {key, bubbles: true});
            Object.defineProperty(struck, "timeStamp", {value: at});
            document.body.dispatchEvent(struck);
        }""",
        [key, at],
    )


def counted(page: Page) -> int:
    """Keys struck so far that were not shown as ignored."""
    return len(page.evaluate("struck")) - ignored(page)


def leased(page: Page, which: str, image: int | None = None) -> None:
    """Waits until the page has taken in a lease: one `which` ("swap" or "told", see PAGE), with this image."""
    page.wait_for_function(
        "([which, image]) => leases.some((one) => one[which] && (image === null || one.images.includes(image)))",
        arg=[which, image],
    )


def saved(page: Page) -> None:
    """Waits until the state line says that nothing is on its way."""
    expect(page.get_by_test_id("save-state")).to_have_text("All saved")


def ignored(page: Page) -> int:
    return int(page.get_attribute(ROOT, "data-ignored") or 0)


def check_each_answer_was_on_screen(page: Page, harness: Harness) -> int:
    """Every stored answer is one key struck at its painting, for the image of that painting; how many."""
    struck = {(one["seq"], one["image"], one["key"]) for one in page.evaluate("struck")}
    wanted = {name: key for key, name in KEYS.items()}
    names = {info.id: info.name for info in harness.store.classes(harness.project.id)}
    answers = [
        one.event for one in harness.events() if one.event.kind not in (EventKind.UNDO, EventKind.REDO)
    ]
    for event in answers:
        key = {EventKind.SKIP: "s", EventKind.CONFIRM: "Enter"}.get(event.kind) or wanted[
            names[event.class_id or 0]
        ]
        assert (event.seq, event.image_id, key) in struck
    assert len({event.seq for event in answers}) == len(answers)
    return len(answers)
