"""Running a project's jobs for a command: in this process, or watching the server's worker run them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probal.cli.console import kept, progress_bar
from probal.errors import UserError
from probal.types import JobState

if TYPE_CHECKING:
    from probal.types import Project
    from probal.workspace import Workspace


def work_off(workspace: Workspace, project: Project, what: str, on_stop: str) -> None:
    """Runs the project's waiting jobs with a progress bar; UserError with the reason where one failed.

    Args:
        what: said beside the bar until the job says something better.
        on_stop: told after Ctrl-C: what was kept.
    """
    open_jobs = {JobState.QUEUED, JobState.RUNNING}
    if not any(job.state in open_jobs for job in workspace.store.jobs(project.id)):
        return  # and without loading torch

    from probal.worker import drain

    with kept(on_stop), progress_bar(what) as progress:
        jobs = drain(workspace, project, progress)
    failed = next((job for job in jobs if job.state is JobState.FAILED), None)
    if failed is not None:
        raise UserError(failed.error or f"the job {failed.kind} failed")
