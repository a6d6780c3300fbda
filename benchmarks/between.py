"""What a change did: two files of `benchmarks.label_ratio`, compared run by run.

    git show COMMIT:benchmarks/results/label_ratio.parquet > before.parquet
    python -m benchmarks.between before.parquet results/label_ratio.parquet [--strategies auto random]

For every set, strategy and adapter that both have, the seeds that both have: area under the curve and accuracy at the
end in points, debiased ECE in percent and NLL as means over rounds. Cells are before, then after less before with
its 95 % interval, paired by seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.options import told
from probal.errors import UserError
from probal.simulate.compare import area_under, estimate

RUN = ["source", "strategy", "adapter", "conditions", "seed"]
ROUND = [*RUN, "labels"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--strategies", nargs="+", default=["auto", "random"])
    arguments = parser.parse_args()
    for path in (arguments.before, arguments.after):
        if not path.exists():
            raise UserError(f"{path} is not there; it is a Parquet file of benchmarks.label_ratio")
    before, after = (
        frame[frame["strategy"].isin(arguments.strategies)]
        for frame in map(pd.read_parquet, (arguments.before, arguments.after))
    )
    print(markdown(before, after))


def of_run(rounds: pd.DataFrame) -> pd.DataFrame:
    """One row per run, indexed by RUN."""
    found = {
        key: {
            "area": 100 * area_under(run["labels"].to_numpy(), run["accuracy"].to_numpy()),
            "end": 100 * run["accuracy"].iloc[-1],
            "debiased_ece": 100 * run["debiased_ece"].mean(),
            "nll": run["nll"].mean(),
        }
        for key, run in rounds.sort_values(ROUND).groupby(RUN)
    }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis(RUN)


def markdown(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """The table; UserError where the two have no run in common, or measured one at other numbers of labels."""
    old, new = of_run(before), of_run(after)
    both = old.index.intersection(new.index)
    if not len(both):
        raise UserError("the two files have no set, strategy, adapter and seed in common")
    for key in both:
        sizes = [
            frame.set_index(RUN).sort_index().loc[[key], "labels"].to_list() for frame in (before, after)
        ]
        if sorted(sizes[0]) != sorted(sizes[1]):
            raise UserError(f"{key[0]}, seed {key[-1]}: measured at other numbers of labels before and after")
    lines = [
        "| set | strategy | seeds | area, points | accuracy at the end, % | debiased ECE, % | NLL |",
        "|---|---|---|---|---|---|---|",
    ]
    for (source, strategy, adapter, _), keys in both.to_frame(index=False).groupby(RUN[:-1], sort=False):
        index = pd.MultiIndex.from_frame(keys)
        cells = [
            _cell(old.loc[index, name].to_numpy(), new.loc[index, name].to_numpy(), 3 if name == "nll" else 1)
            for name in old.columns
        ]
        who = strategy if adapter == "bayes" else f"{strategy} · {adapter}"
        lines.append(f"| {source} | {who} | {len(keys)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(old: np.ndarray, new: np.ndarray, digits: int) -> str:
    change = estimate(new - old)
    said = f"{old.mean():.{digits}f} {change.mean:+.{digits + 1}f}"
    if change.low is None:
        return said
    return f"{said} [{change.low:+.{digits + 1}f}, {change.high:+.{digits + 1}f}]"


if __name__ == "__main__":
    told(main)
