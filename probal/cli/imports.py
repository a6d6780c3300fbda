"""`probal import`: labels that were made elsewhere, in any format that labels leave in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import print_json, say
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import app, open_project
from probal.cli.work import work_off
from probal.errors import UserError
from probal.types import JobKind

if TYPE_CHECKING:
    from probal.label_import import Match
    from probal.types import Event

UNNAMED = "import"
"""Whose labels they are where neither the file nor the user says."""


@app.command("import")
def import_(
    ctx: typer.Context,
    name: NameArgument,
    source: Annotated[Path, typer.Argument(metavar="F", help="A file or folder of labels.")],
    annotator: Annotated[
        str | None, typer.Option(help="Whose labels these are; else whose the file says, else 'import'.")
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Store what fits and leave the rest out.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take an import of the same file back.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and match, store nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Store labels that were made elsewhere, all of them or none, and refit; twice is stored once."""
    from probal import label_import, labeling, validate
    from probal.store import REFERENCE

    workspace, project = open_project(ctx, name)
    if annotator is not None and validate.annotator(annotator) == REFERENCE:
        raise UserError(f"the name {REFERENCE!r} is kept for labels that came with the images: use another")
    file = label_import.read_labels(source)
    images = workspace.store.images(project.id)
    if not images:
        raise UserError(f"the images of {name} have not been read yet: run probal embed {name} first")
    classes = workspace.store.classes(project.id)
    found = label_import.match(file, images, classes, Path(project.config.image_root or ""))
    if not skip_unknown and not undo:
        label_import.require_all(found, classes)
    names = {
        image_id: validate.annotator(annotator or by or UNNAMED) for image_id, by in found.annotators.items()
    }
    key = f"{project.id}/{project.created_at.isoformat()}"
    events = label_import.label_events(key, found.labels, images, file.digest, names)
    log = workspace.store.events(project.id)
    if undo:
        new = label_import.undo_events(events, log)
    else:
        known = {stored.event.event_id for stored in log}
        new = [event for event in events if event.event_id not in known]
    _report(found, file.format, len(file.rows), file.unlabeled, events, new, undo, as_json)
    if dry_run:
        say("Nothing was stored (--dry-run).")
        return
    result = labeling.record(workspace.store, project, new, require_lease=False)
    if result.rejected:
        _, reason = result.rejected[0]
        raise UserError(f"{len(result.accepted)} stored, {len(result.rejected)} rejected: {reason}")
    if new:
        workspace.store.enqueue(project.id, JobKind.REFIT)
    work_off(workspace, project, "Refitting", "The labels are stored; the refit runs at the next command.")


def _report(
    found: Match,
    format: str,
    rows: int,
    unlabeled: int,
    events: list[Event],
    new: list[Event],
    undo: bool,
    as_json: bool,
) -> None:
    """What fits and what not: on stdout as JSON, else on stderr in sentences."""
    if as_json:
        print_json(
            {
                "format": format,
                "rows": rows,
                "images": len(found.labels),
                "new": 0 if undo else len(new),
                "undone": len(new) if undo else 0,
                "unlabeled": unlabeled,
                "unknown_images": list(found.unknown_images),
                "unknown_classes": dict(found.unknown_classes),
                "unusable": list(found.unusable),
                "torn": list(found.torn),
                "annotators": dict(Counter(event.annotator for event in events)),
            }
        )
        return
    say(f"{format}: {rows:,} labels, of {len(found.labels):,} images of this project.")
    if found.complaint():
        say(f"Left out: {found.complaint()}.")
    if unlabeled:
        say(f"{unlabeled:,} images in it have no label.")
    people = ", ".join(f"{who} ({n:,})" for who, n in Counter(event.annotator for event in events).items())
    if undo:
        say(f"{len(new):,} labels taken back.")
    else:
        say(f"{len(new):,} new labels, {len(events) - len(new):,} stored already. By {people or 'nobody'}.")
