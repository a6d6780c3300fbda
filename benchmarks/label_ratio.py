"""How many labels `auto` saves: the table of label ratios over all sets, with everything the claim hangs on.

    python -m benchmarks.label_ratio --data DIR --out results/label_ratio [--seeds 20] [--sets pets dtd]
        [--strategies auto,random] [--adapters bayes] [--jobs 2] [--peers results/peers.json] [--resplit]

Every strategy and adapter runs on every set with the same seeds; finished runs are kept in OUT.runs.jsonl and the
same command goes on there. Writes OUT.json (as `probal simulate` does), OUT.parquet, OUT.html, and prints tables:

- label ratio against random sampling with the same adapter (bootstrap interval over seeds), its geometric mean over
  the sets on which random sampling gains at least two standard errors;
- where there is a text prior, the same against what a user would do otherwise: random sampling, linear probe and
  no prior;
- area under the curve less random's, paired, and the deepest round below the state before any label;
- debiased ECE averaged over rounds, and seconds a round.

With --resplit each seed draws its own pool on sets that name one. With --peers (the JSON of `python -m
benchmarks.peers.run`) their runs join the tables, and two more compare `auto` with them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from benchmarks.options import options, told
from benchmarks.peers.table import against_peers
from benchmarks.sets import SETS, load_sets, split_by_seed
from probal.simulate import CLEAN, Conditions, Hands, OwnLearner, Run, do, result_of
from probal.simulate.compare import curve, geometric_mean, label_ratio_estimate, mean_ranks
from probal.simulate.hands import timed
from probal.simulate.report import difference, ratio, share, write_report
from probal.simulate.summary import Summary, costs, groups, summarize
from probal.simulate.table_file import write_parquet

OTHERWISE = OwnLearner("random", "linear")
"""What a user would do without this tool, on a pool without class texts."""


def main() -> None:
    arguments = parse()
    chosen = load_sets(arguments.sets, arguments.data)
    if arguments.resplit:
        chosen = [(each, split_by_seed(source)) for each, source in chosen]
    sources = [source for _, source in chosen]
    makers = [
        OwnLearner(strategy, adapter)
        for adapter in arguments.adapters.split(",")
        for strategy in arguments.strategies.split(",")
    ]
    for make in makers:
        make()  # a name that does not exist is told before any work

    def plan(learners: list[OwnLearner], conditions: Conditions) -> list[Run]:
        return [
            Run(source, make, each.batch_size, each.budget, seed, conditions)
            for each, source in chosen
            if conditions is CLEAN or source.text_x is not None
            for make in learners
            for seed in range(arguments.seeds)
        ]

    plans = plan(makers, CLEAN), plan([OTHERWISE], Conditions(no_prior=True))
    record = arguments.out.with_suffix(".runs.jsonl")
    with Progress() as bar:
        task = bar.add_task("Simulating")
        found = do(
            [*plans[0], *plans[1]],
            record,
            arguments.jobs,
            lambda done, total, what: bar.update(task, completed=done, total=total),
        )
    runs, otherwise = found[: len(plans[0])], found[len(plans[0]) :]
    if arguments.peers:
        peers = json.loads(arguments.peers.read_text("utf-8"))["runs"]
        runs += [run for run in peers if run["source"] in arguments.sets]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    result = {**result_of(sources, runs), "machine": machine, "otherwise": otherwise}
    arguments.out.with_suffix(".json").write_text(json.dumps(result), "utf-8")
    write_parquet(result, arguments.out.with_suffix(".parquet"))
    write_report(result, arguments.out.with_suffix(".html"))
    print(f"{arguments.seeds} seeds, {machine}\n")
    print(markdown(runs, otherwise))
    print(in_seconds(runs, Hands()))
    if arguments.peers:
        print(f"\n{against_peers(runs)}")


def parse() -> argparse.Namespace:
    parser = options(__doc__, 20, list(SETS))
    parser.add_argument("--strategies", default="auto,random")
    parser.add_argument("--adapters", default="bayes")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--resplit", action="store_true", help="each seed draws its own pool on every set")
    return parser.parse_args()


def markdown(runs: list[dict[str, Any]], otherwise: list[dict[str, Any]]) -> str:
    """The tables for docs/benchmarks.md."""
    by_set = {group.source: summarize(group) for group in groups(runs)}
    names = list(dict.fromkeys(each.name for found in by_set.values() for each in found))
    lines = [
        "| set | strategy | no label | at budget | label ratio | area − random, points | deepest below start: mean, "
        "worst seed | debiased ECE, % | NLL | s a round |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(source, each) for source, found in by_set.items() for each in found]
    lines += [
        "",
        "| strategy | geometric mean of label ratios | sets | mean rank of area |",
        "|---|---|---|---|",
    ]
    areas = [{each.name: each.area.mean for each in found} for found in by_set.values()]
    ranks = mean_ranks(areas) if all(set(each) == set(names) for each in areas) else {}
    for name in names:
        ratios = [
            e.label_ratio.mean for found in by_set.values() for e in found if e.name == name and e.label_ratio
        ]
        mean = f"{geometric_mean(ratios):.2f}" if ratios else "–"
        rank = f"{ranks[name]:.1f}" if ranks else "–"
        lines.append(f"| {name} | {mean} | {len(ratios)} | {rank} |")
    return "\n".join([*lines, "", *_against_otherwise(runs, otherwise)])


def in_seconds(runs: list[dict[str, Any]], hands: Hands) -> str:
    """The same comparison in seconds of a person; of strategies whose runs say what was called right before."""
    lines = [
        "",
        f"Seconds of a person, {hands.choose:g} to choose a class and {hands.confirm:g} to confirm one:",
        "",
        "| set | strategy | called right before, % | seconds | area over s − random, points | ratio in s |",
        "|---|---|---|---|---|---|",
    ]
    ratios: dict[str, list[float]] = {}
    for group in groups([run for run in runs if timed([run])]):
        labels = {each.name: each.label_ratio for each in summarize(group)}
        for name, each in costs(group, hands).items():
            if each.ratio is not None and labels[name] is not None:  # random gains something
                ratios.setdefault(name, []).append(each.ratio.mean)
            cells = [
                group.source, name, share(each.confirmed), f"{each.seconds.mean:.0f}", difference(each.area_gain),
                ratio(each.ratio if labels[name] is not None else None),
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    told = [f"{name} {geometric_mean(each):.2f} on {len(each)} sets" for name, each in ratios.items()]
    return "\n".join([*lines, "", f"Geometric mean of the ratios in seconds: {'; '.join(told) or 'none'}"])


def _row(source: str, each: Summary) -> str:
    drop = f"{100 * each.drop.mean:.1f}, {100 * each.drop.worst:.1f}"
    cells = [
        source, each.name, share(each.zero_shot), share(each.final), ratio(each.label_ratio),
        difference(each.area_gain), drop, f"{100 * each.debiased_ece:.1f}", f"{each.nll:.3f}", f"{each.seconds:.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _against_otherwise(runs: list[dict[str, Any]], otherwise: list[dict[str, Any]]) -> list[str]:
    """Label ratio of `auto` against random sampling, linear probe and no prior."""
    lines = ["| set with a text prior | `auto` against random, linear probe, no prior |", "|---|---|"]
    found = []
    for group in groups(otherwise):
        own = [run for run in runs if (run["source"], run["strategy"]) == (group.source, "auto")]
        for adapter in dict.fromkeys(run["adapter"] for run in own):
            one = curve([run for run in own if run["adapter"] == adapter])
            (rival,) = group.series.values()
            value = label_ratio_estimate(one, curve(rival), group.batch_size, np.random.default_rng(0))
            found.append(value.mean)
            lines.append(f"| {group.source} ({adapter}) | {ratio(value)} |")
    return [*lines, f"| geometric mean | {geometric_mean(found):.2f} |"] if found else []


if __name__ == "__main__":
    told(main)
