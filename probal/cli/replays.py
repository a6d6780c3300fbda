"""`probal replay`: whether a round can be reproduced."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from probal.cli.console import print_json, say
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import app, open_project

DIFFERENT = 1
"""Exit code where something else came out."""


@app.command()
def replay(
    ctx: typer.Context,
    name: NameArgument,
    round: Annotated[int, typer.Argument(metavar="ROUND", help="Number of the round, from 0.")],
    as_json: JsonFlag = False,
) -> None:
    """Propose a round again from what was recorded, and say whether the same images come out."""
    workspace, project = open_project(ctx, name)
    from probal.session import Session
    from probal.session.replay import replay as again

    report = again(Session(workspace, project.name), round)
    if as_json:
        print_json({**asdict(report), "identical": report.identical})
    elif report.identical:
        say(f"Round {round} of {name}: the same model, candidates and {len(report.recorded)} picks.")
    else:
        say(f"Round {round} of {name} came out differently: {'; '.join(report.differences)}.")
    if not report.identical:
        raise typer.Exit(DIFFERENT)
