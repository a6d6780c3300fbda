from __future__ import annotations

from probal.store import Store
from tests.store.store_world import REASON, World


def test_a_round_comes_back_as_written(world: World, store: Store):
    assert store.latest_round(world.id) is None
    first = world.propose([world.pool[4], world.pool[2]])
    second = world.propose([world.pool[7]])
    assert [first.index, second.index] == [0, 1]
    assert store.rounds(world.id) == [first, second]
    assert store.latest_round(world.id) == second
    assert (first.pending_ids, first.config, first.versions) == ((5, 6), {"batch": 10}, {"numpy": "2"})
    proposals = store.proposals(first.id)
    assert [(each.rank, each.image_id) for each in proposals] == [(0, world.pool[4]), (1, world.pool[2])]
    assert proposals[0].predicted == ((1, 0.75), (2, 0.25))
    assert proposals[0].reason == REASON


def test_rounds_are_numbered_by_project(world: World, store: Store):
    world.propose([])
    assert World(store).propose([]).index == 0


def test_timings_are_added_to(world: World, store: Store):
    made = world.propose([])
    store.update_timings(made.id, {"fit": 0.5, "evaluate": 1.0})
    assert store.rounds(world.id)[0].timings == {"fit": 0.5, "evaluate": 1.0}


def test_a_batch_counts_what_was_neither_answered_nor_skipped(world: World, store: Store):
    images = world.pool[:4]
    world.accept(world.label(images[3]))  # labeled while the batch was computed
    made = world.propose(images)
    assert store.batch(made.id) == (4, 3)
    undone, _ = world.accept(world.label(images[0]), world.skip(images[1]))
    assert store.batch(made.id) == (4, 1)
    world.accept(world.undo(undone))
    assert store.batch(made.id) == (4, 2)
    assert store.batch(world.propose([]).id) == (0, 0)
