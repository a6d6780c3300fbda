"""`probal init` and `probal status`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import out, print_json, say, table
from probal.cli.shell import app, open_project, open_workspace
from probal.errors import UserError

if TYPE_CHECKING:
    from probal.labeling import MetricStatus, ProjectStatus

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
    encoder: Annotated[
        str, typer.Option(help="embedded, auto, or open_clip:<model>/<weights>.")
    ] = "embedded",
    audit: Annotated[
        str, typer.Option(help="Share (0.1) or number (40) of the images that measure the accuracy.")
    ] = "0.1",
) -> None:
    """Make a project on a folder of images and a list of class names."""
    from probal.encoders import resolve_encoder_id

    names = class_names(classes, classes_file)
    workspace = open_workspace(ctx)
    choice = resolve_encoder_id(encoder)
    project = workspace.create_project(
        name, images=images, classes=names, encoder=choice.id, template=prompt, audit=audit_size(audit)
    )
    say(f"Project {project.name}: {len(names)} classes on {project.config.image_root}.")
    if choice.reason:
        say(f"Encoder: {choice.id}; {choice.reason}.")
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
    from probal import validate

    if listed is not None and file is None:
        return validate.split_class_names(listed)
    if file is not None and listed is None:
        return validate.read_class_names(file)
    raise UserError("give the class names once: --classes a,b,c or --classes-file F")


def audit_size(text: str) -> float:
    """The number that ``--audit`` means; UserError for what is none."""
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"--audit {text} is neither a share below 1, such as 0.1, nor a number of images"
        ) from None


def _print_status(found: ProjectStatus) -> None:
    console = out()
    shown = table(f"{found.project} · {found.image_root}", "", "")
    shown.show_header = False
    shown.add_row(
        "images", ", ".join(f"{n:,} {state}" for state, n in found.images.items() if n) or "none yet"
    )
    if found.test_labeled:
        shown.add_row("measured on", f"{found.test_labeled} labeled test images")
    else:
        skipped = f", {found.audit_skipped} skipped" if found.audit_skipped else ""
        shown.add_row("audit", f"{found.audit_labeled} of {found.audit_total} labeled{skipped}")
    shown.add_row("labels", f"{found.labels} in {found.rounds} rounds, {found.batch_done} since the last fit")
    shown.add_row("classes", ", ".join(f"{name}: {n}" for name, n in found.class_counts.items()))
    accuracy = found.metrics.get("accuracy")
    shown.add_row("accuracy", accuracy_line(accuracy) if accuracy else "not measured yet")
    if found.job is not None:
        counts = f" {found.job.done}/{found.job.total}" if found.job.total else ""
        shown.add_row(
            "job", f"{found.job.kind} {found.job.state}{counts} {found.job.error or found.job.message}"
        )
    console.print(shown)


def accuracy_line(accuracy: MetricStatus) -> str:
    line = f"{accuracy.value:.1%} at {accuracy.labels} labels, on {accuracy.n} images"
    if accuracy.low is not None and accuracy.high is not None:
        line += f", 95 % interval {accuracy.low:.1%} to {accuracy.high:.1%}"
    return line + (" (preliminary)" if accuracy.preliminary else "")
