"""`probal simulate`: the loop with an oracle in the annotator's place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probal.cli.console import kept, out, progress_bar, say, table
from probal.cli.files import writable
from probal.cli.shell import app
from probal.errors import UserError

if TYPE_CHECKING:
    from probal.cli.simulate_report import Estimate

PoolKeyOption = Annotated[str | None, typer.Option(help="Of an .npz: label from <key>_x, <key>_y.")]
EvalKeyOption = Annotated[str | None, typer.Option(help="Of an .npz: measure on <key>_x, <key>_y.")]
StrategiesOption = Annotated[str, typer.Option(help="Strategies to compare, separated by commas.")]
JsonOption = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write all curves here.")]
PlotOption = Annotated[Path | None, typer.Option(metavar="OUT.html", help="Draw the curves on this page.")]


@app.command()
def simulate(
    source: Annotated[Path, typer.Argument(help="A folder with one subfolder per class, or an .npz.")],
    pool_key: Annotated[
        str | None, typer.Option(help="Arrays <key>_x, <key>_y to label from (.npz).")
    ] = None,
    eval_key: Annotated[
        str | None, typer.Option(help="Arrays <key>_x, <key>_y to measure on (.npz).")
    ] = None,
    strategies: StrategiesOption = "auto,random",
    adapter: Annotated[str, typer.Option(help="Adapter that learns from the labels.")] = "bayes",
    encoder: Annotated[str, typer.Option(help="Encoder of a folder's images.")] = "embedded",
    batch_size: Annotated[int, typer.Option(min=1, help="Labels per round.")] = 10,
    budget: Annotated[int, typer.Option(min=1, help="Labels in all.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Runs per strategy.")] = 5,
    json_to: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write all curves here.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.html", help="Draw the curves into this page.")
    ] = None,
) -> None:
    """What labeling would have bought: strategies compared on images whose classes are known."""
    names = [name.strip() for name in strategies.split(",") if name.strip()]
    if not names:
        raise UserError("--strategies names none: give for instance auto,random")
    for destination in filter(None, (json_to, plot)):
        writable(destination)

    from probal.simulate import simulate as run

    told = "Image vectors computed so far are kept; no result was written, since a simulation is run whole."
    with kept(told), progress_bar("Simulating") as progress:
        result = run(
            source, names, adapter=adapter, encoder=encoder, batch_size=batch_size, budget=budget,
            seeds=seeds, pool_key=pool_key, eval_key=eval_key, progress=progress,
        )  # fmt: skip
    _print_summary(result)
    if json_to:
        json_to.write_text(json.dumps(result), "utf-8")
        say(f"Curves written to {json_to}")
    if plot:
        from probal.cli.simulate_report import write_plot

        write_plot(result, plot)
        say(f"Plot written to {plot}")


def _print_summary(result: dict[str, Any]) -> None:
    from probal.cli.simulate_report import summarize

    summaries = summarize(result["runs"])
    end = f"at {result['runs'][0]['labels'][-1]}"
    shown = table(
        f"{result['source']} · {result['encoder']} · {summaries[0].seeds} seeds",
        "strategy", "zero-shot", end, "area", "area − random", f"{end} − random",
    )  # fmt: skip
    shown.caption = "accuracy in %, ± and [ ] 95 % intervals over seeds; differences paired by seed"
    for item in summaries:
        shown.add_row(
            item.strategy,
            _share(item.zero_shot),
            _share(item.final),
            _share(item.area),
            _difference(item.area_gain),
            _difference(item.final_gain),
        )
    out().print(shown)


def _share(value: Estimate) -> str:
    half = (
        "" if value.high is None or value.high == value.mean else f" ± {100 * (value.high - value.mean):.1f}"
    )
    return f"{100 * value.mean:.1f}{half}"


def _difference(value: Estimate | None) -> str:
    if value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{100 * value.mean:+.1f}"
    return f"{100 * value.mean:+.1f} [{100 * value.low:+.1f}, {100 * value.high:+.1f}]"
