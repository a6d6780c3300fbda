"""The one process of a workspace that does the heavy work: it takes jobs from the store and runs them.

``python -m probal.worker WORKSPACE [--parent-pid PID]``. A file lock holds the workspace; a job left running by
a killed worker is taken up again, and loses nothing, since each step writes only what is complete.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from probal import labeling
from probal.errors import UserError
from probal.explore.duplicates import find_groups
from probal.explore.pool_map import draw_map
from probal.session import Session
from probal.session.explore import answer, keep_check
from probal.session.model_export import write_model_files
from probal.session.orders import fulfil, standing_aim
from probal.session.preview import Previews
from probal.types import Job, JobKind, Project
from probal.workspace import Workspace

log = logging.getLogger("probal.worker")
POLL_SECONDS = 0.15
_REPORT_SECONDS = 0.25

Watch = Callable[[int, int, str], None]


def worker_lock(workspace: Workspace) -> FileLock:
    """Held by whoever runs the workspace's jobs."""
    return FileLock(workspace.path / "worker.lock", timeout=0)


def run_job(session: Session, job: Job, watch: Watch | None = None) -> None:
    """Run one claimed job and note its end; a failure is kept with the job in a sentence, not raised.

    `watch` sees the progress too. KeyboardInterrupt puts the job back in the queue and is raised again.
    """
    store = session.store
    last = 0.0

    def progress(done: int, total: int, message: str) -> None:
        nonlocal last
        if watch is not None:
            watch(done, total, message)
        now = time.monotonic()
        if now - last > _REPORT_SECONDS or done == total:
            store.progress(job.id, done, total, message)
            last = now

    try:
        if job.kind is JobKind.PREPARE:
            session.prepare(progress)
        elif job.kind is JobKind.MODEL:
            progress(0, 1, "Writing the model")
            write_model_files(session)
        elif job.kind is JobKind.MAP:
            find_groups(session.workspace, session.project, progress)
            draw_map(session.workspace, session.project, progress)
        elif job.kind is JobKind.CHECK:
            progress(0, 1, "Checking the labels")
            keep_check(session)
        elif job.kind is JobKind.ANSWER:
            answer(session, progress)
        elif job.kind is not JobKind.REFIT:
            fulfil(session, job.kind, progress)
        else:
            progress(0, 3, "Fitting the adapter")
            session.refit()
            progress(1, 3, "Choosing the next images")
            session.propose(aim=standing_aim(session, progress))
            progress(2, 3, "Measuring")
            session.evaluate()
        store.finish(job.id)
        # labels that came meanwhile may be a batch already
        labeling.enqueue_if_due(store, session.project)
    except UserError as error:
        store.fail(job.id, str(error))
    except KeyboardInterrupt:
        store.release(job.id)  # whoever works here next goes on from what is complete
        raise
    except Exception as error:
        log.exception("job %d (%s) failed", job.id, job.kind)
        store.fail(job.id, f"{type(error).__name__}: {error}")


def drain(workspace: Workspace, project: Project, watch: Watch | None = None) -> list[Job]:
    """Run the project's waiting jobs in this process, or watch the workspace's worker run them.

    Returns the jobs that this call saw end. `watch` gets (done, total, what).
    """
    waiting = {job.id for job in workspace.store.jobs(project.id) if job.state in ("queued", "running")}
    try:
        with worker_lock(workspace):
            workspace.store.requeue_stale(0)
            session = Session(workspace, project.name)
            while (job := workspace.store.claim(f"cli-{os.getpid()}", project.id)) is not None:
                waiting.add(job.id)
                run_job(session, job, watch)
    except Timeout:
        _follow(workspace, project, waiting, watch)
    return [job for job in workspace.store.jobs(project.id) if job.id in waiting]


def _follow(workspace: Workspace, project: Project, waiting: set[int], watch: Watch | None) -> None:
    while True:
        open_jobs = [
            job
            for job in workspace.store.jobs(project.id)
            if job.id in waiting and job.state in ("queued", "running")
        ]
        if not open_jobs:
            return
        running = next((job for job in open_jobs if job.state == "running"), open_jobs[-1])
        if watch is not None:
            watch(running.done, running.total, running.message or "Waiting for the worker")
        time.sleep(POLL_SECONDS)


def serve(workspace: Workspace, parent_pid: int | None = None) -> None:
    """Run jobs until the parent process is gone (or for ever without one). Timeout if another worker runs."""
    sessions: dict[int, Session] = {}
    previews = Previews(workspace)
    with worker_lock(workspace):
        workspace.store.requeue_stale(0)  # the lock is ours: whatever runs, runs no more
        while parent_pid is None or os.getppid() == parent_pid:
            job = workspace.store.claim(f"worker-{os.getpid()}")
            if job is None:
                if not previews.answer_next():
                    time.sleep(POLL_SECONDS)
                continue
            project = next(each for each in workspace.store.projects() if each.id == job.project_id)
            session = sessions.get(project.id)
            if session is None or session.project != project:  # its settings may have changed since
                session = sessions[project.id] = Session(workspace, project.name)
            run_job(session, job)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m probal.worker", description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--parent-pid", type=int, help="stop when this process is no longer the parent")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    # a stopped server ends its worker so; the job at hand goes back to the queue
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(Workspace(arguments.workspace), arguments.parent_pid)
    except Timeout:
        sys.exit("another worker runs this workspace already")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
