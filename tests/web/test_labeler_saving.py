"""The labeling surface against a server that is slow, gone, strange or restarted: nothing lost, nothing doubled."""

from __future__ import annotations

import random

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from probal.types import EventKind
from probal.workspace import Workspace
from tests.browser import open_window
from tests.web.harness import (
    KEYS,
    ROOT,
    Harness,
    check_each_answer_was_on_screen,
    leased,
    painted,
    saved,
    strike,
)

pytestmark = pytest.mark.browser


def answers(harness: Harness) -> int:
    return sum(one.event.kind not in (EventKind.UNDO, EventKind.REDO) for one in harness.events())


def test_keys_through_a_slow_and_failing_server_are_neither_lost_nor_doubled(
    page: Page, harness: Harness
) -> None:
    generator = random.Random(2)
    calls = 0
    mended = False  # taking the route away would answer the requests that a handler still holds

    def flaky(route: Route) -> None:
        nonlocal calls
        calls += 1
        if mended:
            route.continue_()
        elif calls % 3 == 0:
            route.abort()
        elif calls % 3 == 1:
            route.fetch()  # the server takes it in, and the answer is lost on the way back
            route.fulfill(status=503, body="busy")
        else:
            page.wait_for_timeout(150)
            route.continue_()

    page.route("**/api/**", flaky)
    pressed = 0
    while pressed < 45 or answers(harness) <= 10:
        key = generator.choice(
            ["1", "2", "3", "1", "2", "3", "Enter", "s", "z", "y", "ArrowLeft", "ArrowRight"]
        )
        page.keyboard.press(key)
        pressed += 1
        page.wait_for_timeout(generator.choice([20, 40, 80]))
        if pressed == 30:
            mended = True
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
    leased(page, "told", image)
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
    page.wait_for_function(
        "performance.getEntriesByType('resource').filter((one) => /media/.test(one.name)).length > 8"
    )
    page.route("**/media/**", lambda route: route.abort())
    assert len({strike(page, "1") for _ in range(8)}) == 8


def test_an_image_that_cannot_be_loaded_can_be_flagged(browser: Browser, harness: Harness) -> None:
    page = open_window(browser)
    page.clock.install()
    page.route("**/media/**", lambda route: route.fulfill(status=404))
    page.goto(harness.url)
    while not page.get_by_text("cannot be shown").is_visible():
        page.clock.run_for(2000)
        page.wait_for_timeout(50)
    page.keyboard.press("f")
    page.keyboard.press("2")
    while not harness.events():
        page.clock.run_for(500)
        page.wait_for_timeout(50)
    (stored,) = harness.events()
    assert (stored.event.kind, stored.event.flag_reason) == (EventKind.FLAG, "unusable")
    page.context.close()
