from __future__ import annotations

import pytest

from probal.store import REFERENCE, Store
from probal.types import CurrentLabel, Event, EventKind, Role
from tests.store.store_world import World, event


def test_an_event_comes_back_as_sent(world: World, store: Store):
    sent = Event(
        event_id="f0e1",
        kind=EventKind.LABEL,
        annotator="ann",
        seq=7,
        image_id=world.pool[0],
        class_id=world.classes[1],
        lease="token",
        note="hairy",
        duration_ms=900,
    )
    flag = Event("f0e2", EventKind.FLAG, "bob", 1, world.pool[1], flag_reason="ambiguous")
    world.accept(sent, flag)
    first, second = store.events(world.id)
    assert (first.event, second.event) == (sent, flag)
    assert first.active
    assert first.created_at.tzinfo is not None
    assert first.row < second.row == store.watermark(world.id)
    assert store.events(world.id, after_row=first.row) == [second]
    assert store.events(world.id, limit=1) == [first]
    assert store.current_labels(world.id) == [
        CurrentLabel(world.pool[0], world.classes[1], "ann", first.row, 900)
    ]


def test_the_last_label_counts(world: World):
    image = world.pool[0]
    world.accept(world.label(image, at=0), world.label(image, "bob", at=1))
    assert world.labels() == {image: world.classes[1]}


def test_an_adjudication_outranks_labels(world: World):
    image = world.pool[0]
    settled = event(EventKind.ADJUDICATE, image, "eve", class_id=world.classes[2])
    world.accept(world.label(image), settled, world.label(image, at=1))
    assert world.labels() == {image: world.classes[2]}
    world.accept(world.undo(settled))
    assert world.labels() == {image: world.classes[1]}


def test_a_confirmed_prediction_is_a_label(world: World):
    world.accept(event(EventKind.CONFIRM, world.pool[0], class_id=world.classes[1]))
    assert world.labels() == {world.pool[0]: world.classes[1]}


def test_a_flag_takes_the_label_away_until_the_next(world: World, store: Store):
    image = world.pool[0]
    _, flag = world.accept(world.label(image), world.flag(image))
    assert (world.labels(), store.flagged_images(world.id)) == ({}, [image])
    world.accept(world.undo(flag))
    assert (world.labels(), store.flagged_images(world.id)) == ({image: world.classes[0]}, [])
    world.accept(world.flag(image), world.label(image, at=1))
    assert (world.labels(), store.flagged_images(world.id)) == ({image: world.classes[1]}, [])


def test_images_used_are_those_proposed_and_those_labeled_outside_the_audit(world: World, store: Store):
    first, second, third, fourth = world.pool[:4]
    world.propose([first, world.audit[0]])
    World(store).propose([fourth])
    given = world.label(second)
    world.accept(given, world.flag(third), world.label(world.audit[1]))
    world.accept(world.undo(given))
    assert store.used_images(world.id) == {first, second, world.audit[0]}


def test_a_label_after_a_flag_brings_an_adjudication_back(world: World):
    image = world.pool[0]
    settled = event(EventKind.ADJUDICATE, image, "eve", class_id=world.classes[2])
    world.accept(settled, world.flag(image))
    assert world.labels() == {}
    world.accept(world.label(image, at=1))
    assert world.labels() == {image: world.classes[2]}


def test_a_skip_leaves_the_label(world: World):
    world.accept(world.label(world.pool[0]), world.skip(world.pool[0]))
    assert world.labels() == {world.pool[0]: world.classes[0]}


def test_an_undone_event_is_void_and_a_redone_one_is_back(world: World, store: Store):
    image = world.pool[0]
    first, second = world.accept(world.label(image, at=0), world.label(image, at=1))
    (undo,) = world.accept(world.undo(second))
    assert world.labels() == {image: world.classes[0]}
    (redo,) = world.accept(world.redo(undo))
    assert world.labels() == {image: world.classes[1]}
    # an undo and a redo tell which image they were about
    last = store.events(world.id)[-1].event
    assert (last.event_id, last.image_id, last.target_event_id) == (redo.event_id, image, undo.event_id)
    world.accept(world.undo(second), world.undo(first))
    assert world.labels() == {}
    assert [each.active for each in store.events(world.id)] == [False, False, False, True, True, True]


def test_a_call_may_undo_what_it_labels(world: World):
    label = world.label(world.pool[0])
    undo = world.undo(label)
    world.accept(label, undo, world.redo(undo), world.undo(label))
    assert world.labels() == {}


def test_a_known_event_is_accepted_and_not_stored_again(world: World, store: Store):
    label = world.label(world.pool[0])
    undo = world.undo(label)
    for _ in range(3):
        assert world.record(label, undo, label).accepted == (label.event_id, undo.event_id, label.event_id)
    assert len(store.events(world.id)) == 2
    assert world.labels() == {}


def test_event_ids_of_projects_do_not_meet(world: World, store: Store):
    other = World(store)
    world.accept(world.label(world.pool[0], event_id="same"))
    other.accept(other.label(other.pool[0], event_id="same"))
    assert (len(world.labels()), len(other.labels())) == (1, 1)


def test_a_rejected_event_does_not_take_the_others_with_it(world: World, store: Store):
    good, bad, last = world.label(world.pool[0]), world.label(10**6), world.label(world.pool[1])
    result = world.record(good, bad, last)
    assert result.accepted == (good.event_id, last.event_id)
    assert [event_id for event_id, _ in result.rejected] == [bad.event_id]
    assert len(store.events(world.id)) == 2


def test_nothing_is_recorded_by_an_empty_call(world: World, store: Store):
    assert world.record() == type(world.record())()
    assert store.watermark(world.id) == 0


def test_what_does_not_exist_is_refused(world: World, store: Store):
    other = World(store)
    assert f"no image {other.pool[0]} in" in world.refusal(world.label(other.pool[0]))
    assert "no image None" in world.refusal(event(EventKind.SKIP))
    strange = event(EventKind.LABEL, world.pool[0], class_id=other.classes[0])
    assert f"no class {other.classes[0]}" in world.refusal(strange)
    assert "needs a class" in world.refusal(event(EventKind.LABEL, world.pool[0]))
    assert "no event nothing" in world.refusal(event(EventKind.UNDO, target_event_id="nothing"))
    (label,) = other.accept(other.label(other.pool[0]))
    assert "no event" in world.refusal(world.undo(label))


@pytest.mark.parametrize("event_id", ["", "x" * 65])
def test_an_event_id_has_a_length(world: World, event_id: str):
    assert "1 to 64 characters" in world.refusal(world.label(world.pool[0], event_id=event_id))


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_an_annotator_has_a_name(world: World, name: str):
    assert "annotator's name" in world.refusal(world.label(world.pool[0], name))


def test_only_what_stands_can_be_undone_and_only_by_its_author(world: World):
    (label,) = world.accept(world.label(world.pool[0]))
    stranger = event(EventKind.UNDO, annotator="bob", target_event_id=label.event_id)
    assert "only ann can undo it" in world.refusal(stranger)
    elsewhere = event(EventKind.UNDO, world.pool[1], target_event_id=label.event_id)
    assert f"about image {world.pool[0]}" in world.refusal(elsewhere)
    assert "only an undo can be redone, not a label" in world.refusal(world.redo(label))
    (undo,) = world.accept(world.undo(label))
    assert "undone already" in world.refusal(world.undo(label))
    assert "only an answer can be undone, not its undo" in world.refusal(world.undo(undo))
    (redo,) = world.accept(world.redo(undo))
    assert "redone already" in world.refusal(world.redo(undo))
    assert "only an answer can be undone, not its redo" in world.refusal(world.undo(redo))


def test_test_images_take_the_labels_they_came_with_only(world: World, store: Store):
    image = world.test[0]
    assert "test set" in world.refusal(world.label(image))
    world.accept(world.label(image, REFERENCE, at=2))
    assert [label.image_id for label in store.current_labels(world.id, Role.TEST)] == [image]
    forged = world.label(image, REFERENCE, at=1)
    assert "kept for labels that came with the images" in world.refusal(forged, require_lease=True)


def test_labels_are_counted_by_class_and_role(world: World, store: Store):
    a, b, _ = world.classes
    world.accept(
        world.label(world.pool[0]),
        world.label(world.pool[1], at=1),
        world.label(world.audit[0], at=1),
        world.label(world.test[0], REFERENCE),
        world.flag(world.pool[2]),
        world.skip(world.audit[1]),
        world.skip(world.audit[0]),
    )
    assert store.label_counts(world.id) == {
        Role.POOL: {a: 1, b: 1},
        Role.AUDIT: {b: 1},
        Role.TEST: {a: 1},
    }
    assert store.labels_spent(world.id) == 3
    assert store.skipped_images(world.id, Role.AUDIT) == 1
    assert store.unanswered_images(world.id) == 40 - 4
    assert set(store.labels_of(world.id, world.pool)) == {world.pool[0], world.pool[1]}
    assert store.labels_of(world.id, [world.audit[0]])[world.audit[0]].class_id == b


def test_changes_since_a_row_are_images_whose_class_is_another(world: World, store: Store):
    old, kept, flagged, _ = world.accept(
        world.label(world.pool[0]),
        world.label(world.pool[1]),
        world.label(world.pool[2]),
        world.label(world.test[0], REFERENCE),
    )
    since = store.watermark(world.id)
    assert store.changed_labels(world.id, since) == 0
    assert store.changed_labels(world.id, 0) == 3
    # the same again, a detour, a skip, the test set: no change
    undo = world.undo(kept)
    world.accept(
        world.label(world.pool[0]),
        undo,
        world.redo(undo),
        world.skip(world.pool[5]),
        world.label(world.test[1], REFERENCE),
    )
    assert store.changed_labels(world.id, since) == 0
    world.accept(world.label(world.pool[0], at=1), world.flag(flagged.image_id or 0), world.undo(kept))
    world.accept(world.label(world.audit[0]), world.label(world.audit[0], at=1))
    assert store.changed_labels(world.id, since) == 4
    assert old.image_id in world.labels()
