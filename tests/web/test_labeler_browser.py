"""The labeling surface in a real browser against the real store: every answer once, on the image it was for."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from probal.types import EventKind, Project, Role
from probal.workspace import Workspace
from tests.web.harness import ANNOTATOR, ROOT, Harness, after_seq, painted, saved, serve, strike

pytestmark = pytest.mark.browser

KEYS = {"1": "circle", "2": "square", "3": "triangle"}


@pytest.fixture
def harness(workspace: Workspace, ready: Callable[..., Project]) -> Iterator[Harness]:
    with serve(workspace, ready(n=60, audit=6, batch_size=1000)) as running:
        yield running


@pytest.fixture
def page(browser: Browser, harness: Harness) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(harness.url)
    painted(opened)
    yield opened
    context.close()
    assert not errors


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
        key = {EventKind.SKIP: "s", EventKind.CONFIRM: "Enter"}.get(event.kind) or wanted[names[event.class_id or 0]]
        assert (event.seq, event.image_id, key) in struck
    assert len({event.seq for event in answers}) == len(answers)
    return len(answers)


def test_quick_keys_each_land_once_on_the_image_they_were_struck_for(page: Page, harness: Harness) -> None:
    generator = random.Random(1)
    for _ in range(20):
        page.keyboard.press(generator.choice("123"))
        page.wait_for_timeout(30)
    saved(page)
    stored = check_each_answer_was_on_screen(page, harness)
    assert stored + ignored(page) == 20
    assert stored >= 15
    assert len(harness.labels()) == stored


def test_keys_through_a_slow_and_failing_server_are_neither_lost_nor_doubled(
    page: Page, harness: Harness
) -> None:
    generator = random.Random(2)
    calls = 0

    def flaky(route: Route) -> None:
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            route.abort()
        elif calls % 3 == 1:
            route.fetch()  # the server takes it in, and the answer is lost on the way back
            route.fulfill(status=503, body="busy")
        else:
            page.wait_for_timeout(150)
            route.continue_()

    page.route("**/api/**", flaky)
    pressed = 0
    for step in range(45):
        key = generator.choice(["1", "2", "3", "1", "2", "3", "Enter", "s", "z", "y", "ArrowLeft", "ArrowRight"])
        page.keyboard.press(key)
        pressed += 1
        page.wait_for_timeout(generator.choice([20, 40, 80]))
        if step == 30:
            page.unroute("**/api/**")
    saved(page)
    assert calls >= 3
    assert pressed == len(page.evaluate("struck"))
    assert check_each_answer_was_on_screen(page, harness) > 10
    assert page.get_by_test_id("toast").count() == 0


def test_events_wait_through_an_outage_and_a_closed_tab(page: Page, harness: Harness) -> None:
    page.route("**/api/**/events", lambda route: route.abort())
    images = [strike(page, key) for key in "123"]
    expect(page.get_by_test_id("save-state")).to_contain_text("3 waiting")
    assert harness.events() == []
    context = page.context
    page.close()
    again = context.new_page()
    again.goto(harness.url)
    painted(again)
    saved(again)
    assert harness.labels() == dict(zip(images, KEYS.values(), strict=True))
    assert painted(again) not in images


def test_undo_brings_the_image_back_and_redo_answers_it_again(page: Page, harness: Harness) -> None:
    first, second = strike(page, "1"), strike(page, "2")
    seq = int(page.get_attribute(ROOT, "data-seq") or 0)
    page.keyboard.press("z")
    after_seq(page, seq)
    assert painted(page) == second
    saved(page)
    assert harness.labels() == {first: "circle"}
    page.keyboard.press("y")
    after_seq(page, seq + 1)
    assert painted(page) not in (first, second)
    page.keyboard.press("Control+z")
    after_seq(page, seq + 2)
    assert strike(page, "3") == second
    saved(page)
    assert harness.labels() == {first: "circle", second: "triangle"}


def test_undo_still_works_after_a_reload(page: Page, harness: Harness) -> None:
    image = strike(page, "1")
    saved(page)
    page.reload()
    seq = int(page.get_attribute(ROOT, "data-seq") or 0) if painted(page) else 0
    page.keyboard.press("z")
    after_seq(page, seq)
    assert painted(page) == image
    saved(page)
    assert harness.labels() == {}


def test_going_back_and_choosing_again_replaces_the_label(page: Page, harness: Harness) -> None:
    image = strike(page, "1")
    front = painted(page)
    seq = int(page.get_attribute(ROOT, "data-seq") or 0)
    page.get_by_test_id("back").click()
    after_seq(page, seq)
    assert painted(page) == image
    expect(page.get_by_test_id("class-0")).to_have_attribute("aria-pressed", "true")
    assert strike(page, "2") == image
    assert painted(page) == front
    saved(page)
    assert harness.labels() == {image: "square"}


def test_enter_accepts_the_suggestion_and_only_where_there_is_one(
    page: Page, harness: Harness, workspace: Workspace
) -> None:
    audit = {image.id for image in workspace.store.images(harness.project.id, role=Role.AUDIT)}
    blind = 0
    for _ in range(12):
        image = painted(page)
        shares = page.locator(".pal-share").all_inner_texts()
        if image in audit:
            blind += 1
            assert set(shares) == {""}
            assert page.get_by_test_id("why").is_hidden()
            before = ignored(page)
            page.keyboard.press("Enter")
            page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.ignored) > {before}")
            strike(page, "2")
        else:
            assert "50" in shares[0]
            strike(page, "Enter")
    saved(page)
    assert blind
    labels = harness.labels()
    assert all(labels[image] == ("square" if image in audit else "circle") for image in labels)
    kinds = {one.event.kind for one in harness.events() if one.event.image_id not in audit}
    assert kinds == {EventKind.CONFIRM}


def test_skip_puts_off_and_flag_takes_out(page: Page, harness: Harness) -> None:
    skipped = strike(page, "s")
    flagged = painted(page)
    seq = int(page.get_attribute(ROOT, "data-seq") or 0)
    page.keyboard.press("f")
    page.get_by_label("Note").fill("1 of 2 animals")
    page.get_by_test_id("flag-ambiguous").click()
    after_seq(page, seq)
    saved(page)
    events = [one.event for one in harness.events()]
    assert [(event.kind, event.image_id) for event in events] == [
        (EventKind.SKIP, skipped),
        (EventKind.FLAG, flagged),
    ]
    assert (events[1].flag_reason, events[1].note) == ("ambiguous", "1 of 2 animals")
    assert harness.labels() == {}


def test_keys_do_nothing_while_typing_repeating_or_with_modifiers(page: Page, harness: Harness) -> None:
    image = painted(page)
    page.locator("#elsewhere").focus()
    page.keyboard.type("123")
    assert page.locator("#elsewhere").input_value() == "123"
    page.locator("#elsewhere").blur()
    page.keyboard.press("Control+1")
    page.keyboard.press("Alt+1")
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '1', repeat: true, bubbles: true}))"
    )
    assert painted(page) == image
    assert harness.events() == []
    strike(page, "1")
    saved(page)
    assert harness.labels() == {image: "circle"}


def test_a_key_struck_before_its_image_was_painted_counts_for_nothing(page: Page, harness: Harness) -> None:
    image = painted(page)
    page.evaluate(
        """() => {
            const press = () => document.body.dispatchEvent(
                new KeyboardEvent("keydown", {key: "1", bubbles: true}));
            press();  // counts for the image on screen
            press();  // in the same moment: the next image is not painted yet
        }"""
    )
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.ignored) === 1")
    saved(page)
    assert harness.labels() == {image: "circle"}


def test_a_refused_answer_is_told_and_its_image_returns_if_it_is_still_free(
    page: Page, harness: Harness, workspace: Workspace
) -> None:
    image = painted(page)

    def refuse(route: Route) -> None:
        (event,) = (route.request.post_data_json or {})["events"]
        reason = {"event_id": event["event_id"], "reason": "Bob was quicker."}
        progress = {"labels": 0, "round": 0, "batch_done": 0, "batch_size": 10}
        route.fulfill(json={"accepted": [], "rejected": [reason], "progress": progress})

    page.route("**/api/**/events", refuse, times=1)
    strike(page, "1")
    expect(page.get_by_test_id("toast")).to_contain_text("Bob was quicker.")
    page.wait_for_timeout(300)
    strike(page, "2")
    assert strike(page, "3") == image
    saved(page)
    assert harness.labels()[image] == "triangle"


def test_a_wrong_token_stops_sending_and_keeps_the_labels(page: Page, harness: Harness) -> None:
    page.evaluate("rerun({token: 'wrong'})")
    image = strike(page, "1")
    expect(page.get_by_test_id("save-state")).to_contain_text("1 not saved")
    page.evaluate("rerun()")
    saved(page)
    assert harness.labels() == {image: "circle"}


def test_a_rerun_changes_nothing_and_leaving_cleans_up(page: Page, harness: Harness) -> None:
    image = painted(page)
    page.evaluate(f"document.querySelector('{ROOT}').mine = true; rerun(); rerun()")
    assert page.evaluate(f"document.querySelectorAll('{ROOT}').length === 1")
    assert page.evaluate(f"document.querySelector('{ROOT}').mine")
    strike(page, "1")
    page.evaluate("leave()")
    assert page.locator(ROOT).count() == 0
    page.keyboard.press("2")
    page.evaluate("rerun()")
    assert painted(page) != image
    saved(page)
    assert harness.labels() == {image: "circle"}


def test_two_tabs_label_different_images(page: Page, harness: Harness) -> None:
    other = page.context.new_page()
    other.goto(harness.url)
    images = [strike(tab, "1") for _ in range(4) for tab in (page, other)]
    for tab in (page, other):
        saved(tab)
    assert len(set(images)) == 8
    assert harness.labels() == dict.fromkeys(images, "circle")


def test_the_next_images_are_decoded_ahead(page: Page, harness: Harness) -> None:
    page.wait_for_timeout(500)
    page.route("**/media/**", lambda route: route.abort())
    assert len({strike(page, "1") for _ in range(8)}) == 8


def test_an_image_that_cannot_be_loaded_can_be_flagged(browser: Browser, harness: Harness) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.route("**/media/**", lambda route: route.fulfill(status=404))
    page.goto(harness.url)
    for _ in range(20):
        page.clock.run_for(2000)
        if page.get_by_text("cannot be shown").is_visible():
            break
        page.wait_for_timeout(50)
    page.keyboard.press("f")
    page.keyboard.press("2")
    for _ in range(40):
        page.clock.run_for(500)
        if harness.events():
            break
        page.wait_for_timeout(50)
    (stored,) = harness.events()
    assert (stored.event.kind, stored.event.flag_reason) == (EventKind.FLAG, "unusable")
    context.close()


def test_every_control_has_a_name_and_the_keys_are_listed(page: Page, harness: Harness) -> None:
    for button in page.locator(f"{ROOT} button:visible").all():
        assert (button.get_attribute("aria-label") or button.inner_text()).strip()
    page.keyboard.press("?")
    expect(page.get_by_test_id("help-sheet")).to_contain_text("Undo the last answer")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("help-sheet")).to_be_hidden()
    assert harness.events() == []


def test_it_works_by_touch_on_a_phone(browser: Browser, harness: Harness) -> None:
    context = browser.new_context(viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(harness.url)
    image = painted(page)
    box = page.get_by_test_id("class-1").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert box["y"] + box["height"] <= 740
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_test_id("class-1").tap()
    saved(page)
    page.wait_for_timeout(100)
    assert painted(page) != image
    assert harness.labels() == {image: "square"}
    assert harness.events()[0].event.annotator == ANNOTATOR
    context.close()
