"""A workspace in which every page has something to show, and how to come to each page and each part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from probal import finish_plan
from probal.explore import files, load_catalog
from probal.explore.catalog import NONE
from probal.types import ImageState, Project, Role
from probal.workspace import Workspace
from tests.drawn import make_ready
from tests.explore.conftest import embed, predict
from tests.pages.test_pages import label_images
from tests.pages.test_progress import measured
from tests.test_people import say
from tests.web.harness import PAINTED, painted

LABELED = 100


def full_project(workspace: Workspace, folder: Path) -> Project:
    """140 images, half of them to measure and labeled; two people who differ, a map, doubts and a finish to plan."""
    project = make_ready(workspace, folder, n=140, audit=70)
    label_images(workspace, project, LABELED)
    say(workspace, project, "bob", {0: 0, 1: 1, 2: 2, 3: 0})
    measured(workspace, project.id)
    embed(workspace, project)
    predict(workspace, project)
    plan(workspace, project)
    catalog = load_catalog(workspace, project)
    here, suggested = files.folder(workspace, project), workspace.store.classes(project.id)[1].id
    xy = np.random.default_rng(0).uniform(-1, 1, (len(catalog), 2)).astype(np.float32)
    files.write_arrays(here / files.MAP, image_id=catalog.ids, xy=xy, fingerprint=np.array("c0102a"))
    files.write_arrays(here / files.GROUPS, image_id=catalog.ids[-3:], group=np.zeros(3, np.int64))
    suspects = [
        {"image_id": int(catalog.ids[i]), "class_id": int(catalog.label[i]), "suggested": suggested, "p": 0.1}
        for i in np.flatnonzero(catalog.label != NONE)[-2:]
    ]
    files.write_json(
        here / files.CHECK, {"suspects": suspects, "watermark": workspace.store.watermark(project.id)}
    )
    return project


def plan(workspace: Workspace, project: Project) -> None:
    """What a finish is planned from: the tested images are right."""
    images = workspace.store.images(project.id, state=ImageState.OK)
    tested = np.array([image.role is Role.AUDIT for image in images])
    finish_plan.Evidence(
        image_ids=np.array([image.id for image in images]),
        class_ids=np.full(len(images), workspace.store.classes(project.id)[0].id),
        confidence=np.linspace(0.99, 0.6, len(images)),
        rest=~tested,
        tested=tested,
        wrong=np.zeros(len(images), bool),
        left=np.zeros(len(images), bool),
        labeled=0,
        finite=True,
        neighbours=10,
        neighbour_share=0.3,
        event_watermark=workspace.store.watermark(project.id),
        adapter_fingerprint="adapter",
    ).save(finish_plan.evidence_path(workspace, project))


def settled(page: Page) -> None:
    """Waits until the page's run has ended and what it asked for is drawn."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()
    expect(page.locator("[data-testid=stSkeleton], [data-testid=stMain] [data-stale=true]")).to_have_count(0)


def tab(name: str) -> Callable[[Page], None]:
    """Opens that tab of the page."""

    def way(page: Page) -> None:
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")

    return way


def view(name: str, told: str) -> Callable[[Page], None]:
    """Opens that view of Explore, which begins with what is `told`."""

    def way(page: Page) -> None:
        page.get_by_role("radio", name=name).click()
        expect(page.get_by_text(told).first).to_be_visible()

    return way


def wizard(page: Page) -> None:
    page.get_by_role("button", name="New project").click()
    names = page.get_by_role("textbox", name="Class names")
    names.fill("circle")
    names.press("Control+Enter")
    expect(page.get_by_text("at least two")).to_be_visible()
    page.get_by_text("More settings").click()


def grid(page: Page) -> None:
    painted(page)
    page.keyboard.press("g")
    page.wait_for_selector("[data-testid=grid][data-page] .pal-tile")


@dataclass(frozen=True)
class Shown:
    """A page: what is there once it is drawn, and the ways to its other parts, one after another."""

    drawn: str
    parts: tuple[Callable[[Page], None], ...] = ()


PLOT = ".js-plotly-plot .main-svg"
PAGES = {
    "pool": Shown(".pal-gallery img", (wizard,)),
    "label": Shown(PAINTED, (grid,)),
    "explore": Shown(
        PLOT,
        (
            view("Near-duplicates", "audit images are never in a group"),
            view("Doubtful labels", "the most doubtful first"),
            view("New classes", "the model is least sure of"),
        ),
    ),
    "progress": Shown(PLOT, (tab("Classes"), tab("Calibration"))),
    "engine": Shown("[data-testid=stSelectbox]"),
    "finish": Shown("[data-testid=stSlider]"),
    "classes": Shown("[role=tab]", (tab("What the model reads"), tab("Split"))),
    "people": Shown("[data-testid=stDataFrame]"),
    "export": Shown("[data-testid=stButtonGroup]"),
}


def open_page(page: Page, url: str, name: str) -> None:
    """Opens a page of the project `shapes` and waits until it is drawn."""
    page.goto(f"{url}/{name}?project=shapes")
    expect(page.locator(PAGES[name].drawn).first).to_be_visible()
    settled(page)
