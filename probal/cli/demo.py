"""`probal demo`: from nothing to a page with images to label."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import complain, progress_bar, say
from probal.cli.server import DEFAULT_PORT, NoBrowserOption, PortOption, check_port, run_server
from probal.cli.shell import app, open_workspace
from probal.types import JobState

if TYPE_CHECKING:
    from probal.types import Project
    from probal.workspace import Workspace

POLL_SECONDS = 0.3


@app.command()
def demo(
    ctx: typer.Context,
    pool: Annotated[
        str,
        typer.Option(
            metavar="digits|DIR", help="The digits, or a folder with one subfolder of images per class."
        ),
    ] = "digits",
    port: PortOption = DEFAULT_PORT,
    no_browser: NoBrowserOption = False,
) -> None:
    """Make a project on handwritten digits, or on a folder, and open it in the browser."""
    check_port(port, "demo")
    workspace = open_workspace(ctx)

    from probal.demo import digits_project, folder_project

    project = digits_project(workspace) if pool == "digits" else folder_project(workspace, Path(pool))
    say(f"Project {project.name}: images in {project.config.image_root}")
    run_server(
        workspace,
        port,
        browser=not no_browser,
        page=f"label?project={project.name}",
        meanwhile=lambda alive: _show_preparation(workspace, project, alive),
    )


def _show_preparation(workspace: Workspace, project: Project, alive: Callable[[], bool]) -> None:
    """The worker's progress in the terminal until the project's newest job ends."""
    with progress_bar("Preparing the images") as progress:
        while alive():
            newest = next(iter(workspace.store.jobs(project.id, limit=1)), None)
            if newest is None or newest.state in (JobState.DONE, JobState.FAILED):
                break
            progress(newest.done, newest.total, newest.message or "Starting the worker")
            time.sleep(POLL_SECONDS)
    if newest is not None and newest.state is JobState.FAILED:
        complain(newest.error or "the preparation failed")
    elif newest is not None and alive():
        say("The images are ready.")
