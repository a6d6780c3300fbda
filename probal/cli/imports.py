"""`probal import`: labels that were made elsewhere, in any format that labels leave in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import print_json, say
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import app, open_project
from probal.cli.work import work_off

if TYPE_CHECKING:
    from probal.imports import ImportPlan


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
    from probal import imports

    workspace, project = open_project(ctx, name)
    plan = imports.plan(workspace.store, project, source, annotator)
    if not skip_unknown and not undo:
        plan.require_all()
    new = plan.undo if undo else plan.new
    _report(plan, len(new), undo, as_json)
    if dry_run:
        say("Nothing was stored (--dry-run).")
        return
    imports.carry_out(workspace.store, project, new)
    work_off(workspace, project, "Refitting", "The labels are stored; the refit runs at the next command.")


def _report(plan: ImportPlan, new: int, undo: bool, as_json: bool) -> None:
    """What fits and what not: on stdout as JSON, else on stderr in sentences."""
    file, found = plan.file, plan.found
    if as_json:
        print_json(
            {
                "format": file.format,
                "rows": len(file.rows),
                "images": len(found.labels),
                "new": 0 if undo else new,
                "undone": new if undo else 0,
                "unlabeled": file.unlabeled,
                "unknown_images": list(found.unknown_images),
                "unknown_classes": dict(found.unknown_classes),
                "unusable": list(found.unusable),
                "torn": list(found.torn),
                "annotators": dict(plan.people),
            }
        )
        return
    say(f"{file.format}: {len(file.rows):,} labels, of {len(found.labels):,} images of this project.")
    if found.complaint():
        say(f"Left out: {found.complaint()}.")
    if file.unlabeled:
        say(f"{file.unlabeled:,} images in it have no label.")
    people = ", ".join(f"{who} ({n:,})" for who, n in plan.people.items())
    if undo:
        say(f"{new:,} labels taken back.")
    else:
        say(f"{new:,} new labels, {len(plan.events) - new:,} stored already. By {people or 'nobody'}.")
