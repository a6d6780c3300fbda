from __future__ import annotations

from probal.store import Store
from probal.store.jobs import MAX_ATTEMPTS
from probal.types import JobKind, JobState
from tests.store.store_world import World


def states(store: Store) -> list[tuple[JobKind, JobState]]:
    return [(job.kind, job.state) for job in reversed(store.jobs())]


def test_a_waiting_job_is_not_queued_twice(world: World, store: Store):
    first = store.enqueue(world.id, JobKind.REFIT)
    assert store.enqueue(world.id, JobKind.REFIT) == first
    assert store.enqueue(world.id, JobKind.PREPARE).id != first.id
    assert store.enqueue(World(store).id, JobKind.REFIT).id != first.id


def test_a_running_job_leaves_room_for_the_next(world: World, store: Store):
    first = store.enqueue(world.id, JobKind.REFIT)
    store.claim("w")
    assert store.enqueue(world.id, JobKind.REFIT).id != first.id


def test_jobs_are_claimed_in_order_one_a_project(world: World, store: Store):
    other = World(store)
    prepare = store.enqueue(world.id, JobKind.PREPARE)
    refit = store.enqueue(world.id, JobKind.REFIT)
    elsewhere = store.enqueue(other.id, JobKind.PREPARE)
    claimed = store.claim("w")
    assert claimed is not None
    assert (claimed.id, claimed.state) == (prepare.id, JobState.RUNNING)
    assert claimed.heartbeat is not None
    second = store.claim("w")
    assert second is not None
    assert second.id == elsewhere.id
    assert store.claim("w") is None
    store.finish(prepare.id)
    third = store.claim("w")
    assert third is not None
    assert third.id == refit.id


def test_a_claim_can_be_for_one_project(world: World, store: Store):
    other = World(store)
    store.enqueue(other.id, JobKind.PREPARE)
    assert store.claim("w", world.id) is None
    assert store.claim("w", other.id) is not None


def test_progress_and_the_end_are_told(world: World, store: Store):
    job = store.enqueue(world.id, JobKind.PREPARE)
    store.progress(job.id, 1, 2, "not running yet")
    assert store.jobs()[0].message == ""
    store.claim("w")
    store.progress(job.id, 5, 10, "Reading")
    running = store.jobs()[0]
    assert (running.done, running.total, running.message) == (5, 10, "Reading")
    store.fail(job.id, "no such folder")
    store.finish(job.id)
    failed = store.jobs()[0]
    assert (failed.state, failed.error) == (JobState.FAILED, "no such folder")
    assert store.last_job(world.id, JobKind.PREPARE) == failed
    assert store.last_job(world.id, JobKind.REFIT) is None


def test_a_job_whose_worker_is_gone_is_taken_up_again(world: World, store: Store):
    job = store.enqueue(world.id, JobKind.REFIT)
    store.claim("w")
    assert store.requeue_stale(3600) == 0
    assert store.requeue_stale(0) == 1
    assert states(store) == [(JobKind.REFIT, JobState.QUEUED)]
    again = store.claim("w2")
    assert again is not None
    assert again.id == job.id


def test_a_gone_worker_s_job_gives_way_to_one_queued_since(world: World, store: Store):
    store.enqueue(world.id, JobKind.REFIT)
    store.claim("w")
    store.enqueue(world.id, JobKind.REFIT)
    assert store.requeue_stale(0) == 1
    assert states(store) == [(JobKind.REFIT, JobState.FAILED), (JobKind.REFIT, JobState.QUEUED)]


def test_a_job_that_keeps_stopping_its_worker_is_given_up(world: World, store: Store):
    store.enqueue(world.id, JobKind.REFIT)
    for _ in range(MAX_ATTEMPTS):
        assert store.claim("w") is not None
        store.requeue_stale(0)
    job = store.jobs()[0]
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "stopped 3 times" in job.error
    assert store.claim("w") is None
