"""`probal finish`: the model labels the rest of the pool, at a precision that the audit certifies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probal.cli.console import kept, out, print_json, say
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import app, open_project
from probal.cli.work import work_off
from probal.errors import UserError

if TYPE_CHECKING:
    from probal.finish_plan import FinishPlan
    from probal.types import Project
    from probal.workspace import Workspace

SHOWN = 10
"""Abstained images named on the screen; --to and --json have them all."""


@app.command()
def finish(
    ctx: typer.Context,
    name: NameArgument,
    precision: Annotated[float, typer.Option(help="Share of the model's labels that must be right.")] = 0.98,
    confidence: Annotated[float, typer.Option(help="Chance with which that is promised.")] = 0.95,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for labels.csv and abstained.csv.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Keep the model's labels with the project.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the accepted labels of the model back.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Let the model label what it can at a promised precision, and list what it leaves to people."""
    workspace, project = open_project(ctx, name)
    if undo:
        _undo(workspace, project)
        return
    if to is not None and to.exists() and not to.is_dir():
        raise UserError(f"--to {to} is a file; a folder is expected")
    work_off(workspace, project, "Refitting", f"Nothing was written; run probal finish {name} again.")
    from probal import finish_plan, finished
    from probal.session import Session
    from probal.session.finish import plan as planned

    with kept("Nothing was written."):
        session = Session(workspace, name)
        plan = planned(session, precision, confidence)
        if accept:
            finish_plan.accept(workspace, project, plan)
        if to is not None:
            finished.write(workspace, project, plan.labels, plan.abstained, to)
    if as_json:
        print_json(plan_json(plan))
    else:
        for line in plan_lines(name, plan):
            out().print(line, markup=False, highlight=False)
    if accept:
        say(
            f"{len(plan.labels):,} labels of the model are kept with {name}; no model is ever fitted on them."
        )
    if to is not None:
        say(f"{finished.LABELS} (column source: human or model) and {finished.ABSTAINED} written to {to}")


def _undo(workspace: Workspace, project: Project) -> None:
    from probal import finished

    kept_now = finished.record(workspace, project)
    if kept_now is None:
        raise UserError(f"'{project.name}' has no accepted finish, so there is nothing to take back")
    finished.discard(workspace, project)
    say(f"The {kept_now.labels:,} labels that the model gave {project.name} are taken back.")


def plan_json(plan: FinishPlan) -> dict[str, Any]:
    """The plan as JSON-able values."""
    return {
        **asdict(plan.certificate),
        "audit_n": plan.audit_n,
        "expected_wrong": plan.expected_wrong,
        "neighbours": plan.neighbours,
        "neighbour_share": plan.neighbour_share,
        "labels": [asdict(each) for each in plan.labels],
        "abstained": [asdict(each) for each in plan.abstained],
    }


def plan_lines(name: str, plan: FinishPlan) -> list[str]:
    """What a person is told."""
    from probal.finish_plan import percent

    found, left = plan.certificate, len(plan.abstained)
    total = len(plan.labels) + left
    if found.threshold is None:
        lines = [
            f"At {percent(found.precision)} the model may label none of the {total:,} images that are left: "
            f"the {plan.audit_n} images it was tested on do not show it."
        ]
        if takes := plan.what_it_takes():
            lines.append(f"{takes} Or ask for a lower --precision or --confidence.")
        return lines
    # as the page has it: the probabilities' own sum is too cautious after labels chosen for their doubt
    likely = len(plan.labels) * found.audit_wrong / max(found.audit_kept, 1)
    lines = [
        f"The model may label {len(plan.labels):,} of the {total:,} images that are left: at least "
        f"{percent(found.precision)} of these labels are right, with a confidence of {found.level:.0%}.",
        f"Wrong among them: about {likely:.0f} if as many as among the tested images, at most {found.most_wrong:,}. "
        f"Tested on {found.audit_kept} audit images as sure as these, {found.audit_wrong} of them wrong.",
        f"{left:,} images are left to people" + (":" if left else "."),
    ]
    lines += [f"  {each.path}  ({each.label} {each.probability:.0%}?)" for each in plan.abstained[:SHOWN]]
    if left > SHOWN:
        lines.append(f"  … and {left - SHOWN:,} more: probal finish {name} --to DIR lists them all")
    return lines
