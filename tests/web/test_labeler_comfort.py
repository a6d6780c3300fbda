"""The labeling surface in a browser: bound keys, many classes, the strip, the zoom, names, a new round's images."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from probal.classes import ClassEditor
from probal.types import EventKind, Project, Role
from probal.workspace import Workspace
from tests.browser import open_window
from tests.drawn import propose_all
from tests.web.harness import (
    ROOT,
    Harness,
    after_seq,
    ignored,
    leased,
    painted,
    saved,
    seq_of,
    serve,
    strike,
    strike_at,
)

pytestmark = pytest.mark.browser


def test_a_key_can_be_bound_shows_on_its_button_and_survives_a_reload(page: Page, harness: Harness) -> None:
    classes = harness.store.classes(harness.project.id)
    page.keyboard.press("?")
    page.get_by_test_id(f"bind-{classes[2].id}").click()
    page.keyboard.press("c")
    expect(page.get_by_test_id("help-sheet")).to_contain_text("cannot be given")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    page.reload()
    painted(page)
    expect(page.get_by_test_id("class-2").locator("kbd")).to_have_text("1")
    expect(page.get_by_test_id("class-0").locator("kbd")).to_have_text("3")  # they changed places
    image = strike(page, "1")
    saved(page)
    assert harness.labels() == {image: "triangle"}


def test_the_right_arrow_accepts_the_suggestion_but_not_by_one_stroke_too_many(
    page: Page, harness: Harness
) -> None:
    while page.locator(".pal-best").count() == 0:
        strike(page, "2")
    accepted = strike(page, "ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_test_id("strip").locator("[aria-pressed=true]")).to_have_count(1)
    before, seq, far = ignored(page), seq_of(page), 1e9  # later than any painting, however slow
    strike_at(page, "ArrowRight", far)
    after_seq(page, seq)
    strike_at(page, "ArrowRight", far + 500)
    assert ignored(page) == before + 1
    saved(page)
    assert harness.labels()[accepted] == "circle"
    assert [one.event.kind for one in harness.events()].count(EventKind.CONFIRM) == 1


def test_the_strip_goes_back_to_any_answered_image(page: Page, harness: Harness) -> None:
    images = [strike(page, "1") for _ in range(5)]
    front, seq = painted(page), seq_of(page)
    page.get_by_test_id("strip").get_by_role("button").nth(1).click()
    after_seq(page, seq)
    assert painted(page) == images[1]
    strike(page, "3")
    assert painted(page) == front
    saved(page)
    assert harness.labels() == {**dict.fromkeys(images, "circle"), images[1]: "triangle"}


def test_zoom_keeps_to_one_image(page: Page, harness: Harness) -> None:
    scale = "new DOMMatrix(getComputedStyle(document.querySelector('.pal-frame')).transform).a"
    painted(page)
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.wait_for_function(f"{scale} > 1.5")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -300)
    page.mouse.down()
    page.mouse.move(360, 340)
    page.mouse.up()
    page.wait_for_function(f"{scale} > 2")
    page.get_by_test_id("zoom-toggle").click()
    page.wait_for_function(f"{scale} === 1")
    page.keyboard.press("+")
    strike(page, "1")
    assert page.evaluate(scale) == 1
    saved(page)
    assert len(harness.events()) == 1


def test_another_name_gets_other_images_and_is_remembered(page: Page, harness: Harness) -> None:
    image, seq = painted(page), seq_of(page)
    page.get_by_test_id("person").click()
    page.get_by_test_id("person-name").fill("Grace")
    page.get_by_role("button", name="Label under this name").click()
    expect(page.get_by_test_id("person")).to_have_text("Grace")
    page.wait_for_function(f"document.querySelector('{ROOT}').dataset.imageId")
    assert seq_of(page) >= seq
    other = painted(page)
    assert other != image
    strike(page, "2")
    saved(page)
    page.reload()
    painted(page)
    expect(page.get_by_test_id("person")).to_have_text("Grace")
    (event,) = [one.event for one in harness.events()]
    assert (event.annotator, event.image_id) == ("Grace", other)


def test_a_new_round_replaces_what_waits_but_not_what_is_on_screen(
    page: Page, harness: Harness, workspace: Workspace
) -> None:
    image = painted(page)
    store, project = harness.store, harness.project
    reserve = [each.image_id for each in store.proposals(store.rounds(project.id)[0].id)][30:]
    propose_all(workspace, project, images=reserve)
    assert strike(page, "1") == image  # its answer tells of the new round
    leased(page, "swap")
    for _ in range(2):  # the one on screen, and the one that is decoded behind it
        assert strike(page, "1") not in reserve
    audit = {each.id for each in store.images(project.id, role=Role.AUDIT)}
    assert all(strike(page, "1") in {*reserve, *audit} for _ in range(6))


def test_an_image_that_is_asked_for_again_says_what_it_was(
    page: Page, harness: Harness, workspace: Workspace
) -> None:
    store, project = harness.store, harness.project
    for _ in range(12):
        strike(page, "1")
    saved(page)
    audit = {each.id for each in store.images(project.id, role=Role.AUDIT)}
    before = harness.labels()
    assert before.keys() & audit
    ClassEditor(store, project).reopen("circle")
    propose_all(workspace, project)
    page.reload()
    told = {}
    for _ in range(16):
        ribbon = page.locator(".pal-ribbon")
        image = painted(page)
        told[image] = ribbon.inner_text() if ribbon.is_visible() else None
        strike(page, "2")
    again = {image: text for image, text in told.items() if image in before}
    assert {text for image, text in again.items() if image not in audit} == {
        "Was “circle” before the classes changed"
    }
    assert {text for image, text in told.items() if image in audit or image not in before} == {None}


@pytest.fixture
def many(workspace: Workspace, ready: Callable[..., Project]) -> Iterator[Harness]:
    names = [*(f"kind {i:03d}" for i in range(118)), "snow leopard", "leopard seal"]
    with serve(workspace, ready(n=30, audit=3, batch_size=1000, classes=names)) as running:
        yield running


def test_a_hundred_classes_are_found_by_typing(browser: Browser, many: Harness) -> None:
    page = open_window(browser)
    page.goto(many.url)
    image, seq = painted(page), seq_of(page)
    page.keyboard.press("/")
    page.keyboard.type("leop")
    expect(page.locator(".pal-class:visible")).to_have_count(2)
    expect(page.locator(".pal-hit")).to_contain_text("leopard seal")  # it begins so
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    after_seq(page, seq)
    expect(page.locator(".pal-recent")).to_contain_text("snow leopard")
    second, seq = painted(page), seq_of(page)
    page.locator(".pal-recent button").first.click()
    after_seq(page, seq)
    saved(page)
    assert many.labels() == {image: "snow leopard", second: "snow leopard"}
    page.context.close()
