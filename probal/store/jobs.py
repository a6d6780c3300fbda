"""Jobs: what the worker is asked for, and how far it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from probal.store.base import utc_now
from probal.store.repository import AnyRow, Repository
from probal.store.schema import job
from probal.types import Job, JobKind, JobState

MAX_ATTEMPTS = 3


class Jobs(Repository):
    def enqueue(self, project_id: int, kind: JobKind) -> Job:
        """Queue a job; if one of this kind waits already, that one. A running one does not count."""
        with self._db.write() as connection:
            return insert_job(connection, project_id, kind)

    def claim(self, worker_id: str, project_id: int | None = None) -> Job | None:
        """Take the oldest queued job whose project has none running; None if there is none.

        Args:
            project_id: take only jobs of this project.
        """
        running = select(job.c.project_id).where(job.c.state == JobState.RUNNING)
        query = select(job.c.id).where(job.c.state == JobState.QUEUED, job.c.project_id.not_in(running))
        if project_id is not None:
            query = query.where(job.c.project_id == project_id)
        with self._db.read() as connection:
            # an idle worker asks several times a second and must not hold up those who write
            if connection.scalar(query.limit(1)) is None:
                return None
        with self._db.write() as connection:
            job_id = connection.scalar(query.order_by(job.c.id).limit(1))
            if job_id is None:
                return None
            connection.execute(
                update(job)
                .where(job.c.id == job_id)
                .values(
                    state=JobState.RUNNING,
                    worker=worker_id,
                    heartbeat=utc_now(),
                    attempts=job.c.attempts + 1,
                    done=0,
                    total=0,
                    message="",
                )
            )
            return _job(connection.execute(select(job).where(job.c.id == job_id)).one())

    def progress(self, job_id: int, done: int, total: int, message: str) -> None:
        """Say how far a running job is; this is its heartbeat too."""
        self._set(job_id, done=done, total=total, message=message, heartbeat=utc_now())

    def finish(self, job_id: int) -> None:
        """Mark a running job as done."""
        self._set(job_id, state=JobState.DONE, finished_at=utc_now())

    def fail(self, job_id: int, error: str) -> None:
        """Mark a running job as failed; `error` is the line a person reads."""
        self._set(job_id, state=JobState.FAILED, error=error, finished_at=utc_now())

    def release(self, job_id: int) -> None:
        """Put a running job back in the queue: its worker was asked to stop, which counts as no attempt."""
        self._set(job_id, state=JobState.QUEUED, heartbeat=None, worker=None, attempts=job.c.attempts - 1)

    def requeue_stale(self, seconds: float) -> int:
        """Queue again the running jobs with no heartbeat for so long: their worker is gone.

        A job given up on after `MAX_ATTEMPTS` workers, or one whose like is queued already, is marked
        failed instead. Returns how many were found.
        """
        now = utc_now()
        with self._db.write() as connection:
            stale = connection.execute(
                select(job).where(
                    job.c.state == JobState.RUNNING, job.c.heartbeat <= now - timedelta(seconds=seconds)
                )
            ).all()
            for row in stale:
                error = None
                if row.attempts >= MAX_ATTEMPTS:
                    error = f"the worker stopped {row.attempts} times in the middle of this job; see its log"
                elif _queued(connection, row.project_id, JobKind(row.kind)) is not None:
                    error = "the worker stopped in the middle of this job; the next of its kind does its work"
                change = (
                    {"state": JobState.QUEUED, "heartbeat": None, "worker": None}
                    if error is None
                    else {"state": JobState.FAILED, "error": error, "finished_at": now}
                )
                connection.execute(update(job).where(job.c.id == row.id).values(**change))
            return len(stale)

    def jobs(self, project_id: int | None = None, limit: int = 20) -> list[Job]:
        """The newest jobs, newest first; of all projects if none is named."""
        query = select(job).order_by(job.c.id.desc()).limit(limit)
        if project_id is not None:
            query = query.where(job.c.project_id == project_id)
        with self._db.read() as connection:
            return [_job(row) for row in connection.execute(query)]

    def last_job(self, project_id: int, kind: JobKind) -> Job | None:
        """The newest job of a kind, None before the first."""
        query = select(job).where(job.c.project_id == project_id, job.c.kind == kind)
        with self._db.read() as connection:
            row = connection.execute(query.order_by(job.c.id.desc()).limit(1)).one_or_none()
        return None if row is None else _job(row)

    def _set(self, job_id: int, **values: Any) -> None:
        with self._db.write() as connection:
            connection.execute(
                update(job).where(job.c.id == job_id, job.c.state == JobState.RUNNING).values(**values)
            )


def insert_job(connection: Connection, project_id: int, kind: JobKind) -> Job:
    """`enqueue` inside the caller's write transaction."""
    row = _queued(connection, project_id, kind)
    if row is None:
        job_id = connection.execute(
            insert(job)
            .values(
                project_id=project_id,
                kind=kind,
                state=JobState.QUEUED,
                done=0,
                total=0,
                message="",
                attempts=0,
                created_at=utc_now(),
            )
            .returning(job.c.id)
        ).scalar_one()
        row = connection.execute(select(job).where(job.c.id == job_id)).one()
    return _job(row)


def _queued(connection: Connection, project_id: int, kind: JobKind) -> AnyRow | None:
    return connection.execute(
        select(job).where(job.c.project_id == project_id, job.c.kind == kind, job.c.state == JobState.QUEUED)
    ).one_or_none()


def _job(row: AnyRow) -> Job:
    return Job(
        row.id,
        row.project_id,
        JobKind(row.kind),
        JobState(row.state),
        row.done,
        row.total,
        row.message,
        row.error,
        row.created_at,
        row.heartbeat,
    )
