"""Images labeled more than once: by others for a second opinion, by the same person blind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from probal.store.second_opinions import REPEAT_AFTER, Overlap, bound
from probal.types import EventKind
from tests.store.store_world import START, World

LATER = START + timedelta(minutes=11)
"""When the first person's leases have run out."""


def take(world: World, annotator: str, n: int, now=START, at: int = 0) -> list[int]:
    """Lease and label `n` images one after the other; their ids."""
    done = []
    for _ in range(n):
        items = world.lease(annotator, n=1, now=now)
        if not items:
            break
        event = world.label(items[0].image_id, annotator, at=at, lease=items[0].lease)
        world.accept(event, require_lease=True)
        done.append(items[0].image_id)
    return done


@pytest.fixture
def pool(store) -> World:
    world = World(store, pool=30, audit=0, test=0)
    world.propose(world.pool)
    return world


def test_without_a_setting_no_image_comes_twice(pool: World):
    assert sorted(take(pool, "ann", 40)) == pool.pool
    assert take(pool, "bob", 5, LATER) == []


def test_the_share_is_labeled_by_as_many_as_asked_and_blind(pool: World):
    pool.store.set_overlap(pool.id, Overlap(share=1.0, annotators=2))
    assert sorted(take(pool, "ann", 40)) == pool.pool
    (item,) = pool.lease("bob", n=1, now=LATER)
    assert item.predicted is None
    assert item.why is None
    assert sorted(take(pool, "bob", 40, LATER, at=1)) == pool.pool
    assert take(pool, "eve", 5, LATER + timedelta(minutes=11)) == []
    given = pool.store.given(pool.id)
    assert sorted((each.image_id, each.annotator) for each in given) == sorted(
        (image, who) for image in pool.pool for who in ("ann", "bob")
    )


def test_second_opinions_come_between_new_images(pool: World):
    pool.store.set_overlap(pool.id, Overlap(share=1.0, annotators=2))
    first = take(pool, "ann", 10)
    others = take(pool, "bob", 12, LATER)
    assert 2 <= len(set(first) & set(others)) <= 4


def test_a_share_is_a_share_of_the_contents():
    assert bound(1.0) > "ffffffff"
    assert bound(0.5) == "80000000"
    assert bound(0.25) < bound(0.3)


def test_settled_and_flagged_images_need_no_second_opinion(pool: World):
    pool.store.set_overlap(pool.id, Overlap(share=1.0, annotators=3))
    take(pool, "ann", 30)
    settled, flagged = pool.pool[:2]
    pool.accept(pool.label(settled, "judge"), pool.flag(flagged, "judge"))
    event = pool.label(settled, "judge")
    pool.accept(type(event)(**{**event.__dict__, "event_id": "settle", "kind": EventKind.ADJUDICATE}))
    assert {settled, flagged}.isdisjoint(take(pool, "bob", 40, LATER))


def test_a_persons_own_images_come_back_once_after_a_while(pool: World):
    pool.store.set_overlap(pool.id, Overlap(repeats=1.0))
    seen = take(pool, "ann", REPEAT_AFTER)
    assert len(set(seen)) == REPEAT_AFTER
    more = take(pool, "ann", 60)
    again = [image for image in [*seen, *more] if [*seen, *more].count(image) > 1]
    assert again
    assert max([*seen, *more].count(image) for image in again) == 2
    (item,) = [pool.lease("ann", n=1)][0] or [None]
    # what is left was answered less than REPEAT_AFTER answers ago
    assert item is None or item.predicted is None


def test_an_answer_to_a_second_opinion_is_refused_once_somebody_else_answered(pool: World):
    pool.store.set_overlap(pool.id, Overlap(share=1.0, annotators=3))
    take(pool, "ann", 30)
    (item,) = pool.lease("bob", n=1, now=LATER)
    pool.accept(pool.label(item.image_id, "import"))
    late = pool.label(item.image_id, "bob", lease=item.lease)
    assert "labeled by import since" in pool.refusal(late, require_lease=True)
