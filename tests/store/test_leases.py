from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from probal.store import Store
from probal.types import EventKind, LeaseItem, ProjectConfig, Role
from tests.store.store_world import REASON, START, World, scanned

MINUTE = timedelta(minutes=1)


def ids(items: Sequence[LeaseItem]) -> list[int]:
    return [item.image_id for item in items]


def of(items: Sequence[LeaseItem], image_id: int) -> LeaseItem:
    return next(item for item in items if item.image_id == image_id)


@pytest.fixture
def quiet(store: Store) -> World:
    """A world without audit images, so that the queue is the proposals."""
    return World(store, pool=30, audit=0, test=0)


# -- what comes, in which order ------------------------------------------------------------------------------


def test_the_newest_round_comes_first_then_older_ones_by_rank(quiet: World):
    pool = quiet.pool
    quiet.propose([pool[5], pool[1], pool[3]])
    quiet.propose([pool[9], pool[1]])
    assert ids(quiet.lease()) == [pool[9], pool[1], pool[5], pool[3]]


def test_a_leased_image_brings_what_the_model_thought(quiet: World, store: Store):
    made = quiet.propose(quiet.pool[:1])
    (item,) = quiet.lease()
    assert item.proposal_id == store.proposals(made.id)[0].id
    assert item.content_hash == store.image(quiet.id, quiet.pool[0]).content_hash
    assert (item.predicted, item.why) == (((1, 0.75), (2, 0.25)), REASON)
    assert len(item.lease) >= 16


def test_asking_again_renews_what_is_held_and_keeps_order_and_tokens(quiet: World):
    quiet.propose(quiet.pool[:6])
    first = quiet.lease(n=4)
    again = quiet.lease(n=4, now=START + 9 * MINUTE)
    assert again == first
    assert quiet.lease(n=6, now=START + 18 * MINUTE)[:4] == first
    # ten minutes after the last word they are anybody's
    assert quiet.lease("bob", now=START + 27 * MINUTE) == []
    assert ids(quiet.lease("bob", now=START + 29 * MINUTE)) == quiet.pool[:6]


def test_answered_images_are_not_handed_out(quiet: World):
    pool = quiet.pool
    quiet.propose(pool[:4])
    label, _ = quiet.accept(quiet.label(pool[0]), quiet.flag(pool[1]))
    assert ids(quiet.lease()) == pool[2:4]
    quiet.accept(quiet.undo(label))
    assert set(ids(quiet.lease())) == {pool[0], pool[2], pool[3]}


def test_an_undone_answer_brings_the_image_back_first_under_its_token(quiet: World):
    quiet.propose(quiet.pool[:5])
    items = quiet.lease()
    label = quiet.answer(items[0])
    quiet.accept(label, require_lease=True)
    assert ids(quiet.lease()) == quiet.pool[1:5]
    quiet.accept(quiet.undo(label), require_lease=True)
    assert quiet.lease() == items


def test_skipped_images_come_last_longest_ago_first(quiet: World):
    pool = quiet.pool
    quiet.propose(pool[:5])
    items = quiet.lease()
    for at in (2, 0):
        quiet.accept(quiet.answer(items[at], EventKind.SKIP), require_lease=True)
    assert ids(quiet.lease()) == [pool[1], pool[3], pool[4]]
    quiet.accept(*(quiet.answer(of(items, pool[i])) for i in (1, 3, 4)), require_lease=True)
    again = quiet.lease()
    assert ids(again) == [pool[2], pool[0]]
    # the same hands hold it under the same token, so going back to it works as well
    assert again[0].lease == items[2].lease
    quiet.accept(quiet.answer(again[0]), require_lease=True)


def test_a_skipped_image_in_hand_again_stays_in_hand(quiet: World):
    quiet.propose(quiet.pool[:1])
    (item,) = quiet.lease()
    quiet.accept(quiet.answer(item, EventKind.SKIP), require_lease=True)
    assert quiet.lease() == [item]
    quiet.propose(quiet.pool[1:6])
    assert ids(quiet.lease()) == quiet.pool[:6]


def test_an_undone_skip_is_no_skip(quiet: World):
    quiet.propose(quiet.pool[:4])
    items = quiet.lease()
    skip = quiet.answer(items[1], EventKind.SKIP)
    quiet.accept(skip, quiet.undo(skip), require_lease=True)
    assert quiet.lease() == items


def test_unreadable_and_missing_images_stay_out(quiet: World, store: Store):
    pool = quiet.pool
    quiet.propose(pool[:4])
    store.mark_unreadable(quiet.id, store.image(quiet.id, pool[1]).content_hash, "broken")
    gone = store.image(quiet.id, pool[2]).path
    store.sync_images(quiet.id, [file for path, file in store.scanned(quiet.id).items() if path != gone])
    assert ids(quiet.lease()) == [pool[0], pool[3]]
    store.set_role(quiet.id, [pool[0]], Role.TEST)
    assert ids(quiet.lease("bob")) == []


def test_a_project_without_a_round_hands_out_nothing_but_audit_images(world: World, quiet: World):
    assert quiet.lease() == []
    assert set(ids(world.lease())) <= set(world.audit)


# -- the audit -----------------------------------------------------------------------------------------------


def test_about_one_in_five_is_an_audit_image_and_blind(world: World):
    world.propose(world.pool)
    items = world.lease(n=30)
    blind = [place for place, item in enumerate(items) if item.image_id in world.audit]
    assert blind == [4, 9, 14, 19, 24, 29]
    for place in blind:
        assert (items[place].predicted, items[place].why, items[place].proposal_id) == (None, None, None)
    assert all(item.predicted is not None for item in items if item.image_id in world.pool)


def test_the_share_holds_over_many_small_leases_until_the_audit_is_labeled(store: Store):
    world = World(store, pool=100, audit=8, test=0)
    world.propose(world.pool)
    seen: list[int] = []
    for _ in range(40):
        item = world.lease(n=1)[0]
        world.accept(world.answer(item), require_lease=True)
        seen.append(item.image_id)
    assert [seen.index(image) for image in seen if image in world.audit] == [4, 9, 14, 19, 24, 29, 34, 39]
    rest = ids(world.lease(n=30))
    assert not set(rest) & set(world.audit)


def test_the_seed_decides_the_order_of_the_audit(store: Store):
    def order(seed: int) -> list[str]:
        config = ProjectConfig(image_root=None, seed=seed)
        project = store.create_project(f"seed-{seed}-{len(store.projects())}", config, [("a", None)])
        files = [scanned(f"{i}.png", f"{i * 37 % 256:02x}{'0' * 62}") for i in range(256)]
        store.sync_images(project.id, files)
        audit = store.images(project.id)
        store.set_role(project.id, [image.id for image in audit], Role.AUDIT)
        hashes = {image.id: image.content_hash for image in audit}
        return [hashes[store.lease(project.id, f"a{i}", "w", 1, START)[0].image_id] for i in range(5)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_an_image_that_joined_the_audit_after_it_was_proposed_goes_out_blind(quiet: World, store: Store):
    quiet.propose(quiet.pool[:3])
    quiet.lease()
    store.set_role(quiet.id, quiet.pool[:1], Role.AUDIT)
    assert quiet.lease()[0].predicted is None


def test_nobody_waits_for_a_refit_while_audit_or_skipped_images_are_left(world: World):
    world.propose(world.pool[:2])
    items = world.lease(n=20)
    assert ids(items)[:2] == world.pool[:2]
    assert len(items) == 3
    assert items[2].image_id in world.audit


# -- whose it is ---------------------------------------------------------------------------------------------


def test_two_people_never_get_the_same_image(quiet: World):
    quiet.propose(quiet.pool[:6])
    mine, theirs = quiet.lease("ann", n=3), quiet.lease("bob", n=6)
    assert ids(mine) + ids(theirs) == quiet.pool[:6]
    assert len({item.lease for item in [*mine, *theirs]}) == 6


def test_projects_do_not_share_a_queue(quiet: World, store: Store):
    other = World(store, pool=3, audit=0, test=0)
    quiet.propose(quiet.pool[:2])
    other.propose(other.pool[:2])
    assert ids(other.lease()) == other.pool[:2]
    assert ids(quiet.lease()) == quiet.pool[:2]


def test_a_new_window_of_the_same_person_gets_the_images_after_two_minutes(quiet: World):
    quiet.propose(quiet.pool[:3])
    old = quiet.lease(client="old")
    assert quiet.lease(client="new", now=START + MINUTE) == []
    new = quiet.lease(client="new", now=START + 3 * MINUTE)
    assert ids(new) == ids(old)
    assert "in another window" in quiet.refusal(quiet.answer(old[0]), require_lease=True)
    quiet.accept(quiet.answer(new[0]), require_lease=True)


def test_an_answer_needs_the_lease_of_its_image(quiet: World):
    quiet.propose(quiet.pool[:3])
    first, second, _ = quiet.lease()
    for kind in (EventKind.LABEL, EventKind.CONFIRM, EventKind.SKIP, EventKind.FLAG):
        aimed_wrong = quiet.answer(LeaseItem(first.image_id, "", second.lease), kind)
        assert f"image {first.image_id}" in quiet.refusal(aimed_wrong, require_lease=True)
    never_leased = quiet.answer(LeaseItem(quiet.pool[9], "", first.lease))
    assert "not handed out" in quiet.refusal(never_leased, require_lease=True)
    assert "not handed out" in quiet.refusal(quiet.label(first.image_id), require_lease=True)
    other_name = quiet.answer(first, annotator="bob")
    assert "handed to ann" in quiet.refusal(other_name, require_lease=True)
    assert quiet.labels() == {}


def test_an_expired_lease_that_nobody_took_is_good(quiet: World):
    quiet.propose(quiet.pool[:1])
    (item,) = quiet.lease()
    quiet.lease("bob", now=START + 5 * MINUTE)
    quiet.accept(quiet.answer(item), require_lease=True)


def test_a_lease_taken_over_is_stale_and_the_label_is_not_aimed_elsewhere(quiet: World):
    quiet.propose(quiet.pool[:1])
    (mine,) = quiet.lease("ann")
    (theirs,) = quiet.lease("bob", now=START + 11 * MINUTE)
    assert theirs.image_id == mine.image_id
    assert "handed to bob since" in quiet.refusal(quiet.answer(mine), require_lease=True)
    quiet.accept(quiet.answer(theirs, annotator="bob"), require_lease=True)
    assert quiet.labels() == {mine.image_id: quiet.classes[0]}


def test_a_label_by_somebody_else_in_between_makes_a_lease_stale(quiet: World):
    quiet.propose(quiet.pool[:1])
    (item,) = quiet.lease("ann")
    (theirs,) = quiet.accept(quiet.label(item.image_id, "bob"))
    assert "labeled by bob since" in quiet.refusal(quiet.answer(item), require_lease=True)
    quiet.accept(quiet.undo(theirs))
    quiet.accept(quiet.answer(item), require_lease=True)


def test_going_back_under_the_same_lease_supersedes(quiet: World):
    quiet.propose(quiet.pool[:1])
    (item,) = quiet.lease()
    quiet.accept(quiet.answer(item), require_lease=True)
    second = quiet.label(item.image_id, at=2, lease=item.lease)
    quiet.accept(second, quiet.undo(second), require_lease=True)
    assert quiet.labels() == {item.image_id: quiet.classes[0]}
    quiet.accept(quiet.label(item.image_id, at=1, lease=item.lease), require_lease=True)
    assert quiet.labels() == {item.image_id: quiet.classes[1]}


def test_pending_images_are_those_in_hands_and_unanswered(world: World, store: Store):
    world.propose(world.pool[:6])
    items = world.lease(n=7)
    assert items[4].image_id in world.audit
    world.accept(world.answer(items[0]), require_lease=True)
    assert store.pending_images(world.id, START) == world.pool[1:6]
    assert store.pending_images(world.id, START + 11 * MINUTE) == []
