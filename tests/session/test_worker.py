"""Jobs: run in process, followed from outside, failed with a sentence, taken up after a kill."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from probal import worker
from probal.session import Session
from probal.types import JobKind, JobState, Project
from probal.workspace import Workspace
from tests.session.conftest import label


def test_drain_prepares_with_progress(workspace: Workspace, project: Project) -> None:
    seen: list[tuple[int, int, str]] = []
    (job,) = worker.drain(workspace, project, lambda *report: seen.append(report))
    assert (job.kind, job.state, job.error) == (JobKind.PREPARE, JobState.DONE, None)
    assert (90, 90, "Computing image vectors") in seen
    assert worker.drain(workspace, project) == []


def test_a_refit_job_fits_proposes_and_measures(session: Session, truth: dict[str, str]) -> None:
    worker.drain(session.workspace, session.project)
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    label(session, truth, [p.image_id for p in session.store.proposals(latest.id)[:6]])
    (job,) = worker.drain(session.workspace, session.project)
    assert (job.kind, job.state) == (JobKind.REFIT, JobState.DONE)
    after = session.store.latest_round(session.project.id)
    assert after is not None
    assert (after.index, after.n_train) == (1, 6)


def test_a_failed_job_says_why_in_a_sentence(workspace: Workspace, project: Project, tmp_path: Path) -> None:
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    (job,) = worker.drain(workspace, project)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "images" in job.error
    assert "Traceback" not in job.error


def test_a_defect_fails_its_job_and_not_the_worker(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("probal.session.loop.prepare", broken)
    (job,) = worker.drain(workspace, project)
    assert (job.state, job.error) == (JobState.FAILED, "ZeroDivisionError: a defect")


def test_what_a_killed_worker_left_running_is_done_again(workspace: Workspace, project: Project) -> None:
    assert workspace.store.claim("killed") is not None
    (job,) = worker.drain(workspace, project)
    assert job.state is JobState.DONE


def test_a_worker_asked_to_stop_gives_its_job_back_and_no_stop_counts(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("probal.session.loop.prepare", stopped)
        for _ in range(5):
            with pytest.raises(KeyboardInterrupt):
                worker.drain(workspace, project)
            assert [job.state for job in workspace.store.jobs(project.id)] == [JobState.QUEUED]
    (job,) = worker.drain(workspace, project)
    assert job.state is JobState.DONE


def test_with_a_worker_at_work_drain_follows_it(workspace: Workspace, project: Project) -> None:
    def other() -> None:
        with worker.worker_lock(workspace):
            held.set()
            job = workspace.store.claim("other")
            assert job is not None
            followed.wait()
            worker.run_job(Session(workspace, project.name), job)

    held, followed = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    (job,) = worker.drain(workspace, project, lambda *_: followed.set())
    thread.join()
    assert job.state is JobState.DONE


def test_the_process_ends_with_its_parent_and_there_is_one_per_workspace(workspace: Workspace) -> None:
    command = [sys.executable, "-m", "probal.worker", str(workspace.path)]
    orphan = subprocess.run([*command, "--parent-pid", "1"], timeout=120, check=False)
    assert orphan.returncode == 0
    with worker.worker_lock(workspace):
        second = subprocess.run(
            [*command, "--parent-pid", str(os.getpid())],
            timeout=120,
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 1
    assert "another worker" in second.stderr
