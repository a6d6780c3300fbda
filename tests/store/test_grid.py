"""Leases of images that the caller chose, and swapping what a window holds for a new round's images."""

from __future__ import annotations

from datetime import timedelta

from probal.store import Store
from probal.types import EventKind
from tests.store.store_world import START, World

SECOND = timedelta(seconds=1)


def grid(world: World, wanted: list[int], n: int = 20, annotator: str = "ann", later: int = 0, **more):
    now = START + later * SECOND
    return world.store.lease_images(world.id, annotator, "w:grid", wanted, n, now, **more)


def test_only_free_pool_images_come_in_the_order_asked_for(store: Store):
    world = World(store)
    pool = world.pool
    world.propose(pool[:3])
    world.accept(world.label(pool[9]), world.flag(pool[8]))
    held = [item.image_id for item in world.lease("bob", n=2)]
    wanted = [pool[7], *world.audit, *world.test, pool[9], *held, pool[8], pool[4], pool[5], 99999]
    assert [item.image_id for item in grid(world, wanted)] == [pool[7], pool[4], pool[5]]
    assert [item.image_id for item in grid(world, wanted, n=1)] == [pool[7]]


def test_answers_under_a_grid_lease_count_and_others_are_refused(store: Store):
    world = World(store)
    item, other = grid(world, world.pool[:2])
    world.accept(world.answer(item, EventKind.CONFIRM), require_lease=True)
    assert world.labels() == {world.pool[0]: world.classes[0]}
    assert grid(world, world.pool[:2], annotator="bob") == []
    assert "handed to" in world.refusal(world.answer(other, annotator="bob"), require_lease=True)


def test_what_is_not_kept_is_given_back_and_an_answer_on_its_way_still_counts(store: Store):
    world = World(store)
    first, second, third = grid(world, world.pool[:3])
    assert grid(world, [], later=1, keep=[first.image_id]) == []
    theirs = grid(world, world.pool[:3], annotator="bob", later=2, n=1)
    assert [item.image_id for item in theirs] == [second.image_id]
    world.accept(world.answer(first), world.answer(third), require_lease=True)
    assert "was handed to bob" in world.refusal(world.answer(second), require_lease=True)


def test_the_grid_and_the_single_images_of_a_window_are_apart(store: Store):
    world = World(store, audit=0)
    world.propose(world.pool[:6])
    grid(world, world.pool[:2])
    single = [item.image_id for item in world.lease(n=4)]
    assert single == world.pool[2:6]
    assert grid(world, world.pool[:6], later=1)[0].image_id == world.pool[0]
    assert [item.image_id for item in world.lease(n=4)] == single


def test_grid_leases_do_not_change_how_often_an_audit_image_comes(store: Store):
    world = World(store, pool=60, audit=10)
    world.propose(world.pool[:30])
    grid(world, world.pool[30:], n=30)
    audit = set(world.audit)
    assert [item.image_id in audit for item in world.lease(n=20)].count(True) == 4


def test_keep_swaps_proposals_for_better_ones_but_not_what_is_on_screen(store: Store):
    world = World(store, pool=40, audit=10)
    world.propose(world.pool[:20])
    before = world.lease(n=10)
    audits = [item for item in before if item.image_id in world.audit]
    screen = before[2]
    world.propose(world.pool[20:])
    after = world.lease(n=10, keep=[screen.image_id])
    assert after[: len(audits) + 1] == [item for item in before if item in audits or item is screen]
    assert [item.image_id for item in after[len(audits) + 1 :]] == world.pool[20 : 29 - len(audits)]
    # an answer to an image that was swapped away meanwhile is still this person's
    gone = next(item for item in before if item not in after)
    world.accept(world.answer(gone), require_lease=True)


def test_swapping_again_and_again_keeps_audit_images_at_one_in_five(store: Store):
    world = World(store, pool=200, audit=30)
    world.propose(world.pool)
    shown = []
    for turn in range(12):
        items = world.lease(n=10, keep=[])
        for item in items[:10]:
            world.accept(world.answer(item), require_lease=True)
            shown.append(item.image_id in world.audit)
        world.propose(world.pool[turn:])
    assert 20 <= sum(shown) / len(shown) * 100 <= 25
