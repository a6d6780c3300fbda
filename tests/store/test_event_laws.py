"""Laws of the log, over random histories by two annotators."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from probal.store import Store
from probal.types import Event, EventKind, Role
from tests.store.event_replay import LABELING, Replay
from tests.store.store_world import World, event

SETTINGS = settings(max_examples=100)


@dataclass(frozen=True)
class Step:
    """What is tried: a kind, on the `image`-th image, or aimed at the `target`-th event before it."""

    kind: EventKind
    annotator: str
    image: int
    at: int
    target: int


steps = st.lists(
    st.builds(
        Step,
        # twice, so that undo and redo meet something to turn back
        st.sampled_from([*EventKind, EventKind.LABEL, EventKind.UNDO, EventKind.REDO]),
        st.sampled_from(["ann", "ann", "bob"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(1, 6),
    ),
    max_size=14,
)
cuts = st.lists(st.integers(0, 14), max_size=4)


def history(world: World, tried: list[Step]) -> list[Event]:
    made: list[Event] = []
    for step in tried:
        if step.kind in (EventKind.UNDO, EventKind.REDO):
            aim = made[-step.target].event_id if step.target <= len(made) else "nothing"
            made.append(event(step.kind, annotator=step.annotator, target_event_id=aim))
        else:
            class_id = world.classes[step.at] if step.kind in LABELING else None
            made.append(event(step.kind, world.pool[step.image], step.annotator, class_id=class_id))
    return made


def batches(events: list[Event], at: list[int]) -> list[list[Event]]:
    edges = [0, *sorted(min(cut, len(events)) for cut in at), len(events)]
    return [events[start:end] for start, end in itertools.pairwise(edges)]


def small_world(store: Store) -> World:
    return World(store, pool=3, audit=0, test=0)


def open_images(world: World) -> list[int]:
    """Images in the queue, as handed out to somebody new."""
    return [item.image_id for item in world.lease("new", n=3)]


@SETTINGS
@given(tried=steps, at=cuts)
def test_the_store_agrees_with_a_replay(shared_store: Store, tried: list[Step], at: list[int]):
    world = small_world(shared_store)
    round_ = world.propose(world.pool)
    replay = Replay()
    accepted: set[str] = set()
    for batch in batches(history(world, tried), at):
        accepted |= set(world.record(*batch).accepted)
        for each in batch:
            assert replay.offer(each) == (each.event_id in accepted)

    stored = shared_store.events(world.id)
    assert [each.event.event_id for each in stored] == [each.event_id for each in replay.log]
    assert [each.active for each in stored] == [replay.active(each) for each in replay.log]
    assert [each.event.image_id for each in stored] == [replay.image_of(each) for each in replay.log]

    by_row = {each.row: each.event.event_id for each in stored}
    now = {label.image_id: by_row[label.event_row] for label in shared_store.current_labels(world.id)}
    expected = {image: label.event_id for image in world.pool if (label := replay.label(image)) is not None}
    assert now == expected
    some = shared_store.labels_of(world.id, world.pool)
    assert {image: by_row[label.event_row] for image, label in some.items()} == expected
    assert shared_store.labels_spent(world.id) == len(expected)
    assert sum(shared_store.label_counts(world.id)[Role.POOL].values()) == len(expected)
    assert shared_store.flagged_images(world.id) == [
        image for image in world.pool if replay.is_flagged(image)
    ]

    # the queue's own note of what is answered is kept in step with the log
    waiting = [image for image in world.pool if not replay.is_answered(image)]
    assert sorted(open_images(world)) == waiting
    skipped = {each.event.image_id for each in stored if each.active and each.event.kind is EventKind.SKIP}
    assert shared_store.batch(round_.id) == (3, len(set(waiting) - skipped))
    assert shared_store.unanswered_images(world.id) == len(waiting)


@SETTINGS
@given(tried=steps)
def test_every_earlier_state_can_be_told(shared_store: Store, tried: list[Step]):
    world = small_world(shared_store)
    seen = [(0, world.labels())]
    for each in history(world, tried):
        world.record(each)
        seen.append((shared_store.watermark(world.id), world.labels()))
    final = world.labels()
    for row, labels in seen:
        told = shared_store.current_labels(world.id, until=row)
        assert {label.image_id: label.class_id for label in told} == labels
        changed = sum(labels.get(image) != final.get(image) for image in world.pool)
        assert shared_store.changed_labels(world.id, row) == changed


@SETTINGS
@given(tried=steps, at=cuts, seed=st.integers(0, 1000))
def test_sending_again_changes_nothing(shared_store: Store, tried: list[Step], at: list[int], seed: int):
    world = small_world(shared_store)
    taken: list[Event] = []
    for batch in batches(history(world, tried), at):
        accepted = set(world.record(*batch).accepted)
        taken += [each for each in batch if each.event_id in accepted]
    before = shared_store.events(world.id)
    random.Random(seed).shuffle(taken)
    for batch in batches(taken, at):
        assert world.record(*batch).rejected == ()
    assert shared_store.events(world.id) == before


@SETTINGS
@given(order=st.permutations(range(6)), at=cuts)
def test_the_order_of_batches_does_not_matter_for_exactly_once(
    shared_store: Store, order: list[int], at: list[int]
):
    world = small_world(shared_store)
    labels = [world.label(world.pool[i % 3], at=i % 2) for i in range(6)]
    shuffled = [labels[i] for i in order]
    for batch in [*batches(shuffled, at), *batches(labels, at)]:
        world.accept(*batch)
    stored = [each.event.event_id for each in shared_store.events(world.id)]
    assert sorted(stored) == sorted(label.event_id for label in labels)


@SETTINGS
@given(tried=steps, pick=st.integers(0, 13))
def test_undo_then_redo_is_the_identity(shared_store: Store, tried: list[Step], pick: int):
    world = small_world(shared_store)
    world.record(*history(world, tried))
    standing = [
        each.event
        for each in shared_store.events(world.id)
        if each.active and each.event.kind not in (EventKind.UNDO, EventKind.REDO)
    ]
    if not standing:
        return
    before = shared_store.current_labels(world.id)
    target = standing[pick % len(standing)]
    (undo,) = world.accept(world.undo(target))
    world.accept(world.redo(undo))
    assert shared_store.current_labels(world.id) == before
    assert all(
        each.active for each in shared_store.events(world.id) if each.event.event_id == target.event_id
    )
