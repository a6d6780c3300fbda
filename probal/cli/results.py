"""`probal predict`: what the labels bought, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probal.cli.console import kept, say
from probal.cli.files import writable
from probal.cli.projects import NameArgument
from probal.cli.shell import app, open_project
from probal.cli.work import work_off
from probal.errors import UserError


@app.command()
def predict(
    ctx: typer.Context,
    name: NameArgument,
    to: Annotated[Path, typer.Option(metavar="F", help="File to write: .csv or .parquet.")],
) -> None:
    """Predict every image of the pool and write class, probabilities and uncertainty."""
    if to.suffix.lower() not in {".csv", ".parquet"}:
        raise UserError(f"--to {to}: the name must end in .csv or .parquet")
    writable(to)
    workspace, project = open_project(ctx, name)
    work_off(workspace, project, "Preparing", f"Nothing was written; run probal predict {name} again.")
    from probal.session import Session
    from probal.session.tables import prediction_table

    with kept("Nothing was written."):
        predictions = Session(workspace, name).predict()
        frame = prediction_table(predictions)
        partial = to.with_name(f".{to.name}.partial")
        if to.suffix.lower() == ".csv":
            frame.to_csv(partial, index=False)
        else:
            frame.to_parquet(partial, index=False)
        partial.replace(to)
    say(f"{len(frame):,} predictions written to {to}")
