"""`probal init` and `probal status`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import out, print_json, say
from probal.cli.shell import app, open_project, open_workspace
from probal.errors import UserError

if TYPE_CHECKING:
    from probal.labeling import ProjectStatus

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the project.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for a script to read.")]


@app.command()
def init(
    ctx: typer.Context,
    name: NameArgument,
    images: Annotated[Path, typer.Option(help="Folder of the images; read, never written to.")],
    classes: Annotated[str | None, typer.Option(help="Class names, separated by commas.")] = None,
    classes_file: Annotated[Path | None, typer.Option(help="Class names, one a line, in UTF-8.")] = None,
    prompt: Annotated[
        str | None, typer.Option(help='What the encoder reads, such as "a photo of a {}".')
    ] = None,
    encoder: Annotated[str, typer.Option(help="embedded, or open_clip:<model>/<weights>.")] = "embedded",
    audit: Annotated[
        str, typer.Option(help="Share (0.1) or number (40) of the images that measure the accuracy.")
    ] = "0.1",
) -> None:
    """Make a project on a folder of images and a list of class names."""
    names = class_names(classes, classes_file)
    workspace = open_workspace(ctx)
    project = workspace.create_project(
        name, images=images, classes=names, encoder=encoder, template=prompt, audit=audit_size(audit)
    )
    say(f"Project {project.name}: {len(names)} classes on {project.config.image_root}.")
    say(f"Next: probal embed {project.name} here in the terminal, or probal serve in the browser.")


@app.command()
def status(ctx: typer.Context, name: NameArgument, as_json: JsonFlag = False) -> None:
    """Images, labels, audit, accuracy and the running job of a project."""
    from probal.labeling import status as status_of

    workspace, project = open_project(ctx, name)
    found = status_of(workspace.store, project)
    if as_json:
        print_json(asdict(found))
    else:
        _print_status(found)


def class_names(listed: str | None, file: Path | None) -> list[str]:
    """The names of ``--classes`` or ``--classes-file``; UserError where not exactly one of them is given."""
    if (listed is None) == (file is None):
        raise UserError("give the class names once: --classes a,b,c or --classes-file F")
    if listed is not None:
        return [name.strip() for name in listed.split(",")]
    assert file is not None
    if not file.is_file():
        raise UserError(f"no file of class names at {file}: one name a line is expected there")
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8: save it as UTF-8 text, one class name a line") from None
    return [line.strip() for line in lines if line.strip()]


def audit_size(text: str) -> float:
    """A share below 1 or a number of images; UserError for what is neither."""
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not 0 <= size < float("inf") or (size >= 1 and not size.is_integer()):
        raise UserError(f"--audit {text} is neither a share below 1, such as 0.1, nor a number of images")
    return size
