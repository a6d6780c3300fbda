"""Accuracy over labels of every set that was measured: `auto`, random sampling and the best peer, as one SVG.

    python -m benchmarks.learning_curves [--runs benchmarks/results/label_ratio.parquet …]
        [--sets food10 digits pets openclipart] [--svg docs/images/learning_curves.svg]

Draws what `python -m benchmarks.label_ratio` and `python -m benchmarks.peers.run` wrote, `OUT.parquet` of the one and
what became of the other's runs; nothing is run again. The line is the mean over seeds, the band Student's 95 %
interval; of the peers the one of the largest area on the set. Beside each name the seconds a round, fit and choice.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._panels import Line, Panel, draw
from benchmarks.options import told
from probal.errors import UserError
from probal.simulate.compare import estimate

RESULTS = Path(__file__).parent / "results"
RUNS = (RESULTS / "label_ratio.parquet", RESULTS / "peers.parquet")
SVG = Path(__file__).parents[1] / "docs" / "images" / "learning_curves.svg"
OWN = ("auto", "random")
STEP, ROOM = 0.2, 0.02
"""The axis begins at a multiple of STEP, at least ROOM below the lowest mean, at 0.8 or below."""


def panel(name: str, runs: pd.DataFrame) -> Panel:
    """One set: its runs, one row a round, of every strategy there."""
    kept = [strategy for strategy in OWN if strategy in set(runs["strategy"])]
    peers = {peer: _area(each) for peer, each in runs.groupby("strategy") if peer not in OWN}
    kept += [max(peers, key=lambda peer: peers[peer])] if peers else []
    seeds = runs[runs["strategy"] == kept[0]]["seed"].nunique()
    lines = [_line(strategy, runs[runs["strategy"] == strategy], seeds) for strategy in kept]
    lowest = max(0.0, min(min(line.mean) for line in lines) - ROOM)
    return Panel(
        f"{name} · {seeds} seeds", lines, "labels", bottom=min(0.8, STEP * math.floor(lowest / STEP))
    )


def _area(runs: pd.DataFrame) -> float:
    mean = runs.groupby("labels")["accuracy"].mean()
    return float(np.trapezoid(mean, mean.index))


def _line(strategy: str, runs: pd.DataFrame, seeds: int) -> Line:
    """`seeds` stand in the panel's title; a line of fewer says so."""
    table = runs.pivot(index="labels", columns="seed", values="accuracy")
    points = [estimate(row) for row in table.to_numpy()]
    ends = [(p.mean if p.low is None else p.low, p.mean if p.high is None else p.high) for p in points]
    # the last state has no batch to choose, so its seconds are no round's
    seconds = runs[runs["labels"] < runs["labels"].max()]["seconds"].mean()
    short = strategy.split("/")[-1]
    fewer = f", {table.shape[1]} seeds" if table.shape[1] != seeds else ""
    return Line(
        f"{short}, {seconds:.2g} s a round{fewer}",
        table.index.astype(float).tolist(),
        [p.mean for p in points],
        [low for low, _ in ends],
        [high for _, high in ends],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, nargs="+", default=list(RUNS))
    parser.add_argument("--sets", nargs="+", metavar="SET", help="all that were run if left out")
    parser.add_argument("--svg", type=Path, default=SVG)
    arguments = parser.parse_args()
    missing = [str(path) for path in arguments.runs if not path.exists()]
    if missing:
        raise UserError(f"{missing[0]} is not there; `python -m benchmarks.label_ratio` writes such a file")
    runs = pd.concat([pd.read_parquet(path) for path in arguments.runs])
    by_set = {str(name): each for name, each in runs.groupby("source", sort=False)}
    chosen = arguments.sets or list(by_set)
    unknown = [name for name in chosen if name not in by_set]
    if unknown:
        raise UserError(f"no runs of '{unknown[0]}'; there are those of {', '.join(by_set)}")
    draw([panel(name, by_set[name]) for name in chosen], arguments.svg)
    print(f"Drew {len(chosen)} sets to {arguments.svg}.")


if __name__ == "__main__":
    told(main)
