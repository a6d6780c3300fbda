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
    from probal.workspace import Workspace

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the project.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for a script to read.")]


@app.command()
def init(
    ctx: typer.Context,
    name: NameArgument,
    images: Annotated[Path | None, typer.Option(help="Folder of the images; read, never written to.")] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="Vectors that exist already: an .npz or Parquet file; copied.")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Class names, separated by commas.")] = None,
    classes_file: Annotated[Path | None, typer.Option(help="Class names, one a line, in UTF-8.")] = None,
    prompt: Annotated[
        str | None, typer.Option(help='What the encoder reads, such as "a photo of a {}".')
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="embedded (default), auto, open_clip:<model>/<weights>, or hf:<repo>.")
    ] = None,
    audit: Annotated[
        str, typer.Option(help="Share (0.1) or number (40) of the images that measure the accuracy.")
    ] = "0.1",
) -> None:
    """Make a project on a folder of images, or on vectors, and a list of class names."""
    from probal.encoders import resolve_encoder_id
    from probal.pool import count_images

    workspace = open_workspace(ctx)
    if vectors is not None:
        _init_vectors(workspace, name, vectors, images, classes, classes_file, prompt, encoder, audit)
        return
    names = class_names(classes, classes_file)
    choice = resolve_encoder_id(encoder or "embedded")
    project = workspace.create_project(
        name, images=images, classes=names, encoder=choice.id, template=prompt, audit=audit_size(audit)
    )
    root = Path(project.config.image_root or "")
    say(f"Project {project.name}: {len(names)} classes on {root}, {count_images(root):,} image files.")
    if choice.reason:
        say(f"Encoder: {choice.id}; {choice.reason}.")
    say(f"Next: probal embed {project.name} here in the terminal, or probal serve in the browser.")


def _init_vectors(
    workspace: Workspace,
    name: str,
    vectors: Path,
    images: Path | None,
    classes: str | None,
    classes_file: Path | None,
    prompt: str | None,
    encoder: str | None,
    audit: str,
) -> None:
    from probal.pool.vector_file import has_labels

    for option, value in (("--encoder", encoder), ("--prompt", prompt)):
        if value is not None:
            raise UserError(f"{option} does not go with --vectors: the vectors stand in the encoder's place")
    named = classes is not None or classes_file is not None
    project = workspace.create_project(
        name,
        images=images,
        vectors=vectors,
        classes=class_names(classes, classes_file) if named else None,
        audit=audit_size(audit),
    )
    table = workspace.own_vectors(project)
    assert table is not None
    prior = "their rows of text_x as prior" if table.text_x is not None else "no prior"
    where = (
        f", pictures in {project.config.image_root}" if project.config.image_root else ", without pictures"
    )
    say(
        f"Project {project.name}: {len(table.names):,} vectors, {table.x.shape[1]} wide{where}; "
        f"{len(table.class_names)} classes, {prior}, logit scale {table.scale:g}."
    )
    if has_labels(vectors):
        say(f"{vectors.name} holds labels y, which were not read: probal simulate {vectors} uses them.")
    say(f"Next: probal embed {project.name} here in the terminal, or probal serve in the browser.")


@app.command()
def status(ctx: typer.Context, name: NameArgument, as_json: JsonFlag = False) -> None:
    """Images, labels, audit, accuracy and the running job of a project."""
    from probal.labeling import status as status_of
    from probal.pace import by_mode, sentence

    workspace, project = open_project(ctx, name)
    found = status_of(workspace.store, project)
    modes = by_mode(workspace.store.events(project.id))
    if as_json:
        print_json({**asdict(found), "pace": {mode: asdict(each) for mode, each in modes.items()}})
    else:
        _print_status(found, sentence(modes))


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


def _print_status(found: ProjectStatus, pace: str) -> None:
    console = out()
    shown = table(f"{found.project} · {found.image_root or 'vectors without pictures'}", "", "")
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
    if found.stopping is not None:
        shown.add_row("advice", "\n".join([found.stopping["sentence"], *found.stopping["reasons"]]))
    if pace:
        shown.add_row("pace", pace)
    if found.decision is not None:
        shown.add_row("choice", found.decision)
    if found.drift is not None and found.drift["warning"]:
        shown.add_row("warning", found.drift["warning"])
    if found.job is not None:
        counts = f" {found.job.done}/{found.job.total}" if found.job.total else ""
        shown.add_row(
            "job", f"{found.job.kind} {found.job.state}{counts} {found.job.error or found.job.message}"
        )
    console.print(shown)


def accuracy_line(accuracy: MetricStatus) -> str:
    line = f"{accuracy.value:.1%} at {accuracy.labels} labels, on {accuracy.n} images"
    if accuracy.low is not None and accuracy.high is not None:
        line += f", 95% interval {accuracy.low:.1%} to {accuracy.high:.1%}"
    return line + (" (preliminary)" if accuracy.preliminary else "")
