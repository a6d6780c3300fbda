"""The labeling surface in a real browser: what each key and button does, and to which image."""

from __future__ import annotations

import random

import pytest
from playwright.sync_api import Browser, Page, expect

from probal.types import EventKind, Role
from probal.workspace import Workspace
from tests.browser import open_window
from tests.web.harness import (
    ANNOTATOR,
    ROOT,
    Harness,
    after_seq,
    check_each_answer_was_on_screen,
    counted,
    ignored,
    painted,
    saved,
    seq_of,
    strike,
    strike_at,
)

pytestmark = pytest.mark.browser


def test_quick_keys_each_land_once_on_the_image_they_were_struck_for(page: Page, harness: Harness) -> None:
    generator = random.Random(1)
    struck = 0
    while struck < 20 or counted(page) < 15:
        page.keyboard.press(generator.choice("123"))
        struck += 1
        page.wait_for_timeout(30)
    saved(page)
    stored = check_each_answer_was_on_screen(page, harness)
    assert stored + ignored(page) == struck
    assert len(harness.labels()) == stored


def test_undo_brings_the_image_back_and_redo_answers_it_again(page: Page, harness: Harness) -> None:
    first, second = strike(page, "1"), strike(page, "2")
    strike(page, "z")
    assert painted(page) == second
    saved(page)
    assert harness.labels() == {first: "circle"}
    strike(page, "y")
    assert painted(page) not in (first, second)
    strike(page, "Control+z")
    assert strike(page, "3") == second
    saved(page)
    assert harness.labels() == {first: "circle", second: "triangle"}


def test_undo_still_works_after_a_reload(page: Page, harness: Harness) -> None:
    image = strike(page, "1")
    saved(page)
    page.reload()
    strike(page, "z")
    assert painted(page) == image
    saved(page)
    assert harness.labels() == {}


def test_going_back_and_choosing_again_replaces_the_label(page: Page, harness: Harness) -> None:
    image = strike(page, "1")
    front = painted(page)
    seq = seq_of(page)
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
    seq = seq_of(page)
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


def test_a_key_that_waited_while_the_page_was_busy_counts_for_nothing(page: Page, harness: Harness) -> None:
    strike(page, "1")
    strike_at(page, "2", 1)  # while the image before was on screen, and delivered only now
    assert ignored(page) == 1
    saved(page)
    assert set(harness.labels().values()) == {"circle"}


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
    page = open_window(browser, 375, 740, has_touch=True, is_mobile=True)
    page.goto(harness.url)
    image, seq = painted(page), seq_of(page)
    box = page.get_by_test_id("class-1").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert box["y"] + box["height"] <= 740
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_test_id("class-1").tap()
    after_seq(page, seq)
    saved(page)
    assert painted(page) != image
    assert harness.labels() == {image: "square"}
    assert harness.events()[0].event.annotator == ANNOTATOR
    page.context.close()
