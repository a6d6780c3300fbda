"""`probal backup` and `restore`: a project in one file, and back, on this machine or another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probal.cli.console import kept, progress_bar, say
from probal.cli.files import writable
from probal.cli.projects import NameArgument
from probal.cli.shell import app, open_project, open_workspace
from probal.types import JobKind, JobState


@app.command()
def backup(
    ctx: typer.Context,
    name: NameArgument,
    to: Annotated[Path, typer.Option(metavar="F", help="File to write; must not be there yet.")],
    vectors: Annotated[
        bool, typer.Option("--vectors/--no-vectors", help="With the image vectors, or computed again later.")
    ] = True,
) -> None:
    """Write a project to one file: labels, rounds, models, settings; never the images."""
    from probal.backup import backup as write

    writable(to)
    workspace, project = open_project(ctx, name)
    with kept(f"Nothing was left at {to}."):
        report = write(workspace, project, to, vectors)
    told = f"vectors of {report.vectors:,} images" if report.vectors else "no vectors"
    say(
        f"{name}: {report.labels:,} labels, {told}; {report.bytes / 1e6:.1f} MB in {to}. "
        f"The {report.images:,} images themselves are not in it."
    )


@app.command()
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="F", help="A file that probal backup wrote.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images here; else where they lay at the backup.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the project here; else the one it had.")] = None,
) -> None:
    """Bring a project back from its file; a project that is there is never overwritten."""
    from probal import validate
    from probal.backup import restore as read

    if name is not None:
        name = validate.project_name(name)
    workspace = open_workspace(ctx)
    with kept("Nothing was restored."), progress_bar("Restoring") as progress:
        report = read(workspace, file, name, images, progress)
    project = report.project
    say(f"Project {project.name} is back: {report.found:,} of its {report.images:,} images were found.")
    if report.found < report.images:
        say("The others are kept with their labels, as missing, until their folder has them again.")
    waiting = workspace.store.last_job(project.id, JobKind.PREPARE)
    if waiting is not None and waiting.state is JobState.QUEUED:
        say(f"Next: probal embed {project.name} computes what is missing; or probal serve.")
