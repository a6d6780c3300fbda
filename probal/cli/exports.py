"""`probal export`: labels, and the model they made, in the formats that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probal.cli.console import kept, progress_bar, say
from probal.cli.projects import NameArgument
from probal.cli.shell import app, open_project
from probal.cli.work import work_off
from probal.errors import UserError

MODEL_FORMATS = ("adapter", "onnx", "predictions")
"""Made by the latest model; the others need labels alone."""


@app.command()
def export(
    ctx: typer.Context,
    name: NameArgument,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write into; made if it is not there.")],
    format: Annotated[
        str, typer.Option(help="Formats separated by commas: csv, jsonl, parquet, imagefolder, hf, adapter …")
    ] = "csv",
    round: Annotated[
        list[int] | None, typer.Option(min=0, help="Only images that this round proposed; may be repeated.")
    ] = None,
    annotator: Annotated[
        list[str] | None, typer.Option(help="Only labels of this person; may be repeated.")
    ] = None,
    given: Annotated[
        list[str] | None, typer.Option(help="label (by hand), confirm or adjudicate; may be repeated.")
    ] = None,
    min_agreement: Annotated[
        float, typer.Option(help="Least share of an image's annotators that gave its label, 0 to 1.")
    ] = 0.0,
    audit: Annotated[
        bool, typer.Option("--audit/--no-audit", help="With or without the images that measure the accuracy.")
    ] = True,
    per_class: Annotated[
        int | None, typer.Option(help="A curated support set: so many images per class that cover the rest.")
    ] = None,
) -> None:
    """Write the labeled images, or the model, in the formats that other tools read."""
    from probal import support_set
    from probal.export import EXPORTERS
    from probal.export.filters import Filter

    formats = [each.strip() for each in format.split(",") if each.strip()]
    known = (*EXPORTERS, *MODEL_FORMATS)
    if not formats:
        raise UserError(f"--format names none: choose from {', '.join(known)}")
    for each in formats:
        if each not in known:
            raise UserError(f"unknown export format {each!r}: choose from {', '.join(known)}")
    wanted = Filter(tuple(round or ()), tuple(annotator or ()), tuple(given or ()), min_agreement, audit)
    workspace, project = open_project(ctx, name)
    rows = support_set.chosen_rows(workspace, project, wanted, per_class)
    told = f"Nothing was left in {to}; run the export again."
    if any(each in MODEL_FORMATS for each in formats):
        work_off(workspace, project, "Preparing", told)
        from probal.session import Session, model_export

        with kept(told), progress_bar("Exporting") as progress:
            report = model_export.export(
                Session(workspace, name), formats, to, rows, lambda done, total: progress(done, total, "")
            )
    else:
        with kept(told), progress_bar("Exporting") as progress:
            report = support_set.export(
                workspace.store, project, formats, to, lambda done, total: progress(done, total, ""), rows
            )
    say(f"{report} written to {to}")
    if per_class is not None and (short := support_set.short_classes(rows, per_class)):
        say("Fewer than asked for: " + ", ".join(f"{label} ({n})" for label, n in short.items()))
