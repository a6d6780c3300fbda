from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from probal import labeling
from probal.errors import UserError
from probal.store import REFERENCE, Store
from probal.types import EventKind, JobKind, JobState, Metric, ProjectConfig
from tests.store.store_world import World, event

BATCH = 3


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "probal.sqlite") as opened:
        yield opened


@pytest.fixture
def world(store: Store) -> World:
    """A world whose batches have three labels, with a round of six proposals."""
    made = World(store)
    store.update_config(made.id, ProjectConfig(image_root="/x", batch_size=BATCH))
    made.project = store.project(made.project.name)
    made.propose(made.pool[:6])
    return made


def record(world: World, *events, require_lease: bool = False):
    result = labeling.record(world.store, world.project, events, require_lease)
    assert result.rejected == ()


def refits(world: World) -> list[JobState]:
    return [job.state for job in world.store.jobs(world.id) if job.kind is JobKind.REFIT]


def test_a_batch_of_labels_asks_for_one_refit(world: World):
    pool = world.pool
    record(world, world.label(pool[0]), world.label(pool[1]))
    assert refits(world) == []
    record(world, world.label(pool[2]))
    assert refits(world) == [JobState.QUEUED]
    record(world, world.label(pool[3]), world.label(pool[4]))
    assert refits(world) == [JobState.QUEUED]


def test_audit_labels_count_and_test_labels_do_not(world: World):
    record(world, *(world.label(image, REFERENCE) for image in world.test))
    record(world, world.label(world.audit[0]), world.label(world.audit[1]))
    assert refits(world) == []
    record(world, world.label(world.audit[2]))
    assert refits(world) == [JobState.QUEUED]


def test_labels_that_the_fit_has_seen_do_not_count_again_but_changing_them_does(world: World):
    old = [world.label(image) for image in world.pool[6:10]]
    world.accept(*old)
    world.propose(world.pool[:6])
    record(world, world.skip(world.pool[0]))
    assert refits(world) == []
    record(world, world.undo(old[0]), world.label(world.pool[7], at=1), world.label(world.pool[8], at=0))
    assert labeling.progress(world.store, world.project).batch_done == 2
    assert refits(world) == []
    record(world, world.flag(world.pool[9]))
    assert refits(world) == [JobState.QUEUED]


def test_a_batch_that_is_used_up_asks_for_the_next(world: World):
    world.propose(world.pool[10:12])
    record(world, world.flag(world.pool[10]))
    assert refits(world) == []
    record(world, world.skip(world.pool[11]))
    assert refits(world) == [JobState.QUEUED]


def test_without_a_round_or_a_proposal_nothing_is_used_up(store: Store, world: World):
    fresh = World(store)
    record(fresh, *(fresh.label(image) for image in fresh.pool))
    assert store.jobs(fresh.id) == []
    world.propose([])
    record(world, world.label(world.pool[0]))
    assert refits(world) == []


def test_a_pool_of_skipped_images_is_not_proposed_for_ever(world: World):
    world.accept(*(world.skip(image) for image in world.pool[:2]))
    world.propose(world.pool[:2])
    for _ in range(3):
        labeling.lease(world.store, world.project, "ann", "window", 20)
    assert refits(world) == []
    record(world, world.skip(world.pool[0]))
    assert refits(world) == [JobState.QUEUED]


def test_labels_that_come_during_a_refit_are_noticed_after_it(world: World):
    store = world.store
    record(world, *(world.label(image) for image in world.pool[:3]))
    job = store.claim("worker")
    assert job is not None
    record(world, *(world.label(image) for image in world.pool[3:6]))
    assert refits(world) == [JobState.RUNNING]
    store.finish(job.id)
    # by the worker, or by the next page that finds nothing to do
    assert len(labeling.lease(store, world.project, "bob", "window", 20)) < 20
    assert refits(world) == [JobState.QUEUED, JobState.DONE]
    assert labeling.enqueue_if_due(store, world.project) is False


def test_a_failed_refit_is_tried_again_by_a_label_and_not_by_a_waiting_page(world: World):
    store = world.store
    record(world, *(world.label(image) for image in world.pool[:3]))
    job = store.claim("worker")
    assert job is not None
    store.fail(job.id, "no memory")
    labeling.lease(store, world.project, "ann", "window", 20)
    assert refits(world) == [JobState.FAILED]
    record(world, world.label(world.pool[3]))
    assert refits(world) == [JobState.QUEUED, JobState.FAILED]


def test_rejected_events_ask_for_nothing(world: World):
    bad = [world.label(10**6) for _ in range(5)]
    assert len(labeling.record(world.store, world.project, bad).rejected) == 5
    assert refits(world) == []


def test_a_lease_is_good_under_the_name_as_typed(world: World):
    (item,) = labeling.lease(world.store, world.project, " Zoe\u0308 ", "window", 1)
    typed = event(EventKind.LABEL, item.image_id, "Zoe\u0308 ", lease=item.lease, class_id=world.classes[0])
    record(world, typed, require_lease=True)
    assert world.store.current_labels(world.id)[0].annotator == "Zo\u00eb"


@pytest.mark.parametrize(
    ("name", "n", "told"),
    [
        ("", 5, "annotator's name"),
        (REFERENCE, 5, "kept for labels that came with the images"),
        ("ann", 0, "1 to 200"),
        ("ann", 201, "1 to 200"),
    ],
)
def test_who_asks_and_for_how_many_is_checked(world: World, name: str, n: int, told: str):
    with pytest.raises(UserError, match=told):
        labeling.lease(world.store, world.project, name, "window", n)


def test_progress_is_what_was_spent_and_what_the_next_refit_waits_for(world: World):
    world.accept(world.label(world.pool[6]))
    world.propose(world.pool[:6])
    world.accept(world.label(world.pool[0]), world.label(world.audit[0]), world.flag(world.pool[1]))
    assert labeling.progress(world.store, world.project) == labeling.Progress(3, 1, 2, BATCH)


def test_the_status_tells_where_a_project_stands(world: World, store: Store):
    world.accept(
        world.label(world.pool[0], at=1),
        world.label(world.audit[0], at=1),
        world.label(world.test[0], REFERENCE),
        world.skip(world.audit[1]),
        world.flag(world.pool[1]),
    )
    store.mark_unreadable(world.id, store.image(world.id, world.pool[9]).content_hash, "broken")
    store.add_metrics(
        world.id,
        [Metric("accuracy", 0.5, 0.4, 0.6, 10, 0, 0), Metric("accuracy", 0.7, 0.5, 0.8, 11, 2, 1, True)],
    )
    store.enqueue(world.id, JobKind.PREPARE)
    found = labeling.status(store, world.project)
    assert json.loads(json.dumps(asdict(found))) == {
        "project": world.project.name,
        "image_root": "/x",
        "encoder": "embedded",
        "images": {"ok": 41, "corrupt": 1, "duplicate": 0, "missing": 0},
        "labels": 2,
        "pool_labeled": 1,
        "pool_total": 29,
        "audit_labeled": 1,
        "audit_total": 10,
        "audit_skipped": 1,
        "test_labeled": 1,
        "class_counts": {"cat": 0, "dog": 2, "cow": 0},
        "rounds": 1,
        "batch_done": 2,
        "batch_size": BATCH,
        "metrics": {
            "accuracy": {
                "value": 0.7,
                "low": 0.5,
                "high": 0.8,
                "n": 11,
                "labels": 2,
                "preliminary": True,
            }
        },
        "job": {
            "kind": "prepare",
            "state": "queued",
            "done": 0,
            "total": 0,
            "message": "",
            "error": None,
        },
        "created_at": world.project.created_at.isoformat(),
        "stopping": None,
        "drift": None,
        "decision": None,
        "decided": None,
    }
    job = store.claim("worker")
    assert job is not None
    store.finish(job.id)
    assert labeling.status(store, world.project).job is None
