"""Grid mode in a real browser: a page is confirmed with one key, and only what was seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from probal.types import EventKind, Project, Role
from probal.workspace import Workspace
from tests.browser import open_window
from tests.web.harness import Harness, painted, saved, serve
from tests.web.test_grid_api import pool_of, predict

pytestmark = pytest.mark.browser


@pytest.fixture
def harness(workspace: Workspace, ready: Callable[..., Project]) -> Iterator[Harness]:
    project = ready(n=60, audit=6, batch_size=1000)
    pool = pool_of(workspace, project)
    predict(workspace, project, pool, [0.9] * len(pool))
    with serve(workspace, project) as running:
        yield running


@pytest.fixture
def grid(browser: Browser, harness: Harness) -> Iterator[Page]:
    page = open_window(browser, height=900)
    page.goto(harness.url)
    painted(page)
    page.keyboard.press("g")
    on_screen(page)
    yield page
    page.context.close()


def on_screen(page: Page, seen: bool = True) -> None:
    """Waits until a page is painted, and with `seen` until each of its pictures was on screen."""
    page.wait_for_selector("[data-testid=grid][data-page] .pal-tile")
    if seen:
        page.wait_for_function(
            """() => Number(document.querySelector("[data-testid=grid]").dataset.seen) ===
                document.querySelectorAll(".pal-tile").length"""
        )


def tiles(page: Page) -> list[int]:
    return page.eval_on_selector_all(".pal-tile", "all => all.map((tile) => Number(tile.dataset.imageId))")


def next_page(page: Page, before: list[int], seen: bool = True) -> None:
    page.wait_for_function(
        "before => Number(document.querySelector('.pal-tile')?.dataset.imageId) !== before", arg=before[0]
    )
    on_screen(page, seen)


def test_one_key_confirms_the_page_and_odd_ones_are_corrected_or_left_out(
    grid: Page, harness: Harness
) -> None:
    images = tiles(grid)
    n = len(images)
    expect(grid.get_by_test_id("grid-odds")).to_contain_text(f"{n * 0.1:.1f} of these {n} are wrong")
    before = round(100 * 0.9**n)
    expect(grid.get_by_test_id("grid-odds")).to_contain_text(f"all are right with {before}%")
    by_key, by_drag, left_out = images[1], images[4], images[6]
    grid.locator(f".pal-tile[data-image-id='{by_key}']").click()
    grid.keyboard.press("3")
    triangle = harness.store.classes(harness.project.id)[2].id
    grid.locator(f".pal-tile[data-image-id='{by_drag}']").drag_to(
        grid.get_by_test_id(f"grid-class-{triangle}")
    )
    grid.locator(f".pal-tile[data-image-id='{left_out}']").click()
    expect(grid.get_by_test_id("grid-odds")).to_contain_text(f"of these {n - 3} are wrong")
    grid.keyboard.press("Enter")
    next_page(grid, images)
    saved(grid)
    labels, kinds = harness.labels(), {one.event.image_id: one.event.kind for one in harness.events()}
    assert set(labels) == set(images) - {left_out}
    assert {image for image, name in labels.items() if name == "triangle"} == {by_key, by_drag}
    assert {image for image, kind in kinds.items() if kind is EventKind.LABEL} == {by_key, by_drag}
    assert not set(images) & {one.id for one in harness.store.images(harness.project.id, role=Role.AUDIT)}

    grid.keyboard.press("z")
    saved(grid)
    grid.wait_for_function("first => document.querySelector(`[data-image-id='${first}']`)", arg=images[0])
    assert harness.labels() == {}


def test_enter_struck_twice_confirms_one_page(grid: Page, harness: Harness) -> None:
    images = tiles(grid)
    grid.evaluate(
        """() => {
            const press = () => document.body.dispatchEvent(
                new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
            press();
            press();  // the next page is not painted yet
        }"""
    )
    next_page(grid, images)
    saved(grid)
    assert set(harness.labels()) == set(images)


def test_what_was_not_on_screen_is_not_confirmed(grid: Page, harness: Harness) -> None:
    grid.set_viewport_size({"width": 420, "height": 420})
    grid.get_by_test_id("mode-single").click()
    grid.get_by_test_id("mode-grid").click()
    on_screen(grid, seen=False)
    grid.keyboard.press("Enter")
    expect(grid.get_by_test_id("grid-said")).to_contain_text("more to look at first")
    assert harness.events() == []
    images = tiles(grid)
    grid.mouse.move(200, 300)
    for step in itertools.count():
        grid.mouse.wheel(0, 150 if step % 40 < 20 else -150)
        grid.wait_for_timeout(60)
        if int(grid.get_by_test_id("grid").get_attribute("data-seen") or 0) == len(images):
            break
    grid.keyboard.press("Enter")
    next_page(grid, images, seen=False)
    saved(grid)
    assert set(harness.labels()) == set(images)


def test_the_grid_works_by_keyboard_alone(grid: Page, harness: Harness) -> None:
    images = tiles(grid)
    grid.locator(".pal-tile").first.focus()
    grid.keyboard.press("ArrowRight")
    grid.keyboard.press("2")
    grid.keyboard.press("Enter")
    next_page(grid, images)
    saved(grid)
    assert harness.labels()[images[1]] == "square"
    grid.keyboard.press("Escape")
    painted(grid)
    expect(grid.get_by_test_id("grid")).to_be_hidden()


def test_labels_of_the_grid_wait_through_an_outage(grid: Page, harness: Harness) -> None:
    images = tiles(grid)
    grid.route("**/api/**/events", lambda route: route.abort())
    grid.keyboard.press("Enter")
    expect(grid.get_by_test_id("save-state")).to_contain_text(f"{len(images)} waiting")
    next_page(grid, images)
    assert not set(images) & set(tiles(grid))
    grid.unroute("**/api/**/events")
    saved(grid)
    assert set(harness.labels()) == set(images)
