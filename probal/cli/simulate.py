"""`probal simulate`: the loop with an oracle in the annotator's place."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probal import validate
from probal.cli.console import kept, out, progress_bar, say, table
from probal.cli.files import writable
from probal.cli.shell import app, open_project
from probal.errors import UserError

if TYPE_CHECKING:
    from probal.simulate import Hands
    from probal.simulate.summary import Group

Sources = Annotated[list[Path], typer.Argument(help="Folders with one subfolder per class, or .npz files.")]
PoolKey = Annotated[str | None, typer.Option(help="Arrays <key>_x, <key>_y to label from (.npz).")]
EvalKey = Annotated[str | None, typer.Option(help="Arrays <key>_x, <key>_y to measure on (.npz).")]
Strategies = Annotated[str, typer.Option(help="Strategies to compare, separated by commas.")]
Adapters = Annotated[str, typer.Option("--adapter", help="What learns from the labels; several by commas.")]
Encoder = Annotated[str, typer.Option(help="Encoder of a folder's images.")]
BatchSizes = Annotated[str, typer.Option("--batch-size", help="Labels per round; several by commas.")]
Budgets = Annotated[
    str, typer.Option("--budget", help="Labels in all; tables at each of several, by commas.")
]
Seeds = Annotated[int, typer.Option(min=1, help="Runs per strategy.")]
Noise = Annotated[float, typer.Option(help="Share of the oracle's answers that are wrong.")]
Imbalance = Annotated[float, typer.Option(help="Long-tailed pool: largest class over the smallest.")]
Duplicates = Annotated[float, typer.Option(help="Share of the pool that are near-copies.")]
Outliers = Annotated[int, typer.Option(help="Classes off the list whose images stay; the oracle flags them.")]
Unknown = Annotated[int, typer.Option(help="Classes listed only when one of their images is labeled.")]
Seconds = Annotated[
    str,
    typer.Option("--seconds", help="What a person takes: choose=S,confirm=S, or a project that timed it."),
]
NoPrior = Annotated[bool, typer.Option("--no-prior", help="Forget the class texts.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; by default one per core.")]
JsonTo = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write all curves here.")]
ParquetTo = Annotated[Path | None, typer.Option("--parquet", metavar="OUT", help="The same as a table.")]
Plot = Annotated[Path | None, typer.Option(metavar="OUT.html", help="Write the report into this page.")]


FEWEST_TIMED = 20
"""Images answered in a way before their median says what it takes."""


@app.command()
def simulate(
    ctx: typer.Context,
    sources: Sources,
    pool_key: PoolKey = None,
    eval_key: EvalKey = None,
    strategies: Strategies = "auto,random",
    adapters: Adapters = "bayes",
    encoder: Encoder = "embedded",
    batch_sizes: BatchSizes = "10",
    budgets: Budgets = "200",
    seeds: Seeds = 5,
    noise: Noise = 0.0,
    imbalance: Imbalance = 1.0,
    duplicates: Duplicates = 0.0,
    outliers: Outliers = 0,
    unknown_classes: Unknown = 0,
    no_prior: NoPrior = False,
    seconds: Seconds = "",
    jobs: Jobs = None,
    json_to: JsonTo = None,
    parquet: ParquetTo = None,
    plot: Plot = None,
) -> None:
    """What labeling would have bought: strategies compared on images whose classes are known."""
    given = _words("--strategies", strategies, "auto,random")
    names = [validate.untrained_strategy(name, "a simulation") for name in given]
    learners = [validate.adapter(name) for name in _words("--adapter", adapters, "bayes")]
    sizes, ends = _numbers("--batch-size", batch_sizes), sorted(_numbers("--budget", budgets))
    speeds = _speeds(seconds) if "=" in seconds or not seconds else _measured(ctx, seconds)
    outputs = [writable(file) for file in (json_to, parquet, plot) if file]

    from probal.simulate import Conditions, Hands, load_source, record_beside
    from probal.simulate import simulate as run
    from probal.simulate.hands import in_seconds

    hands = Hands(**speeds)
    conditions = Conditions(noise, imbalance, duplicates, outliers, unknown_classes, no_prior)
    record = record_beside(outputs[0]) if outputs else None
    told = f"Finished runs are kept in {record}: the same command goes on there." if record else (
        "Image vectors computed so far are kept; finished runs are too with --json, --parquet or --plot."
    )  # fmt: skip
    with kept(told), progress_bar("Simulating") as progress:
        loaded = [load_source(path, encoder, pool_key, eval_key, progress) for path in sources]
        result = run(
            loaded, names, adapters=learners, batch_sizes=sizes, budget=ends[-1], seeds=seeds,
            conditions=conditions, record=record, jobs=jobs, progress=progress,
        )  # fmt: skip
    result = {**result, **in_seconds(result["runs"], hands)}
    if json_to:
        json_to.write_text(json.dumps(result), "utf-8")
        say(f"Curves written to {json_to}")
    if parquet:
        from probal.simulate.table_file import write_parquet

        write_parquet(result, parquet)
        say(f"Table written to {parquet}")
    _print_summaries(result, ends)
    _print_costs(result, hands)
    if plot:
        from probal.simulate.report import write_report

        write_report(result, plot, ends, hands)
        say(f"Report written to {plot}")


def _speeds(value: str) -> dict[str, float]:
    """`choose=2.9,confirm=1.5` -> seconds by way of answering; UserError for anything else."""
    found = {}
    for word in _words("--seconds", value, "choose=3,confirm=1.5") if value else []:
        name, _, number = (part.strip() for part in word.partition("="))
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = math.nan
        if name not in ("choose", "confirm") or not 0 < found[name] < math.inf:
            raise UserError(
                f"--seconds takes choose=S and confirm=S in seconds, such as choose=3,confirm=1.5: got {word}"
            )
    return found


def _measured(ctx: typer.Context, name: str) -> dict[str, float]:
    """The medians that a project's own labels took; UserError where it timed too few of either kind."""
    from probal.pace import CHOOSE, CONFIRM, by_mode

    workspace, project = open_project(ctx, name)
    modes = by_mode(workspace.store.events(project.id))
    few = [f"{modes[mode].images if mode in modes else 0} of {mode}" for mode in (CHOOSE, CONFIRM)]
    if any(mode not in modes or modes[mode].images < FEWEST_TIMED for mode in (CHOOSE, CONFIRM)):
        raise UserError(
            f"'{name}' has timed {', '.join(few)}, and at least {FEWEST_TIMED} images of each are needed: "
            "label more in the browser, or give --seconds choose=S,confirm=S"
        )
    return {mode: modes[mode].seconds for mode in (CHOOSE, CONFIRM)}


def _words(option: str, value: str, example: str) -> list[str]:
    """The words between the commas, each once."""
    words = list(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))
    if not words:
        raise UserError(f"{option} names none: give for instance {example}")
    return words


def _numbers(option: str, value: str) -> list[int]:
    words = _words(option, value, "10,50")
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise UserError(f"{option} takes whole numbers from 1, separated by commas, got {value}")
    return list(dict.fromkeys(map(int, words)))


def _print_summaries(result: dict[str, Any], budgets: list[int]) -> None:
    from probal.simulate.summary import groups

    for group in groups(result["runs"]):
        for budget in budgets:
            _print_summary(group, budget)


def _print_summary(group: Group, budget: int) -> None:
    from probal.simulate.report import difference, ratio, share
    from probal.simulate.summary import summarize

    summaries = summarize(group, budget)
    end = f"at {summaries[0].budget}"
    batch = f"batches of {group.batch_size}"
    shown = table(
        f"{group.source} · {group.encoder} · {batch} · {summaries[0].seeds} seeds",
        "strategy", "no label", end, "area − random", f"{end} − random", "label ratio", "s a round",
    )  # fmt: skip
    shown.caption = "accuracy in %, ± and [ ] 95% intervals over seeds; differences paired by seed"
    for item in summaries:
        shown.add_row(
            item.name, share(item.zero_shot), share(item.final), difference(item.area_gain),
            difference(item.final_gain), ratio(item.label_ratio), f"{item.seconds:.2f}",
        )  # fmt: skip
    out().print(shown)


def _print_costs(result: dict[str, Any], hands: Hands) -> None:
    from probal.simulate.report import difference, ratio, share
    from probal.simulate.summary import costs, groups

    for group in groups(result["runs"]):
        shown = table(
            f"{group.source} in seconds: {hands.choose:g} to choose a class, {hands.confirm:g} to confirm one",
            "strategy", "called right before", "seconds", "area − random", "ratio in seconds",
        )  # fmt: skip
        for name, each in costs(group, hands).items():
            shown.add_row(
                name,
                share(each.confirmed),
                f"{each.seconds.mean:,.0f}",
                difference(each.area_gain),
                ratio(each.ratio),
            )
        out().print(shown)
