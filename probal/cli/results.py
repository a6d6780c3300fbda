"""`probal predict` and `export`: what the labels bought, in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import kept, progress_bar, say
from probal.cli.files import writable
from probal.cli.projects import NameArgument
from probal.cli.shell import app, open_project
from probal.cli.work import work_off
from probal.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from probal.session import Predictions

TOP = 3
"""Classes with a probability per image, the predicted one included."""


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


@app.command()
def export(
    ctx: typer.Context,
    name: NameArgument,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write into; made if it is not there.")],
    format: Annotated[str, typer.Option(help="csv, imagefolder, or both separated by a comma.")] = "csv",
) -> None:
    """Write the labeled images in the formats that other tools read."""
    from probal.support_set import export as export_to

    formats = [each.strip() for each in format.split(",") if each.strip()]
    if not formats:
        raise UserError("--format names none: give csv, imagefolder or both")
    workspace, project = open_project(ctx, name)
    told = f"Nothing was left in {to}; run the export again."
    with kept(told), progress_bar("Exporting") as progress:
        report = export_to(
            workspace.store, project, formats, to, lambda done, total: progress(done, total, "")
        )
    say(f"{report} written to {to}")


def prediction_table(predictions: Predictions) -> pd.DataFrame:
    """One row per image: path, hash, role, the likeliest classes with their probabilities, uncertainties."""
    import numpy as np
    import pandas as pd

    names = np.array(predictions.class_names)  # [C]
    probs = predictions.probabilities  # [N,C]
    order = np.argsort(-probs, axis=1, kind="stable")[:, :TOP]  # [N,TOP]
    columns: dict[str, object] = {
        "path": [image.path for image in predictions.images],
        "content_hash": [image.content_hash for image in predictions.images],
        "role": [str(image.role) for image in predictions.images],
    }
    ranks = np.arange(len(order))
    for place, (class_column, p_column) in enumerate(_columns(order.shape[1])):
        columns[class_column] = names[order[:, place]]
        columns[p_column] = probs[ranks, order[:, place]]
    columns |= {
        "entropy": predictions.total,
        "aleatoric": predictions.aleatoric,
        "epistemic": predictions.epistemic,
    }
    return pd.DataFrame(columns)


def _columns(count: int) -> list[tuple[str, str]]:
    later = [(f"top{place}", f"top{place}_probability") for place in range(2, count + 1)]
    return [("predicted", "probability"), *later]
