"""The tables of docs/benchmarks.md from the runs that lie in the repository: nothing is run, no data is asked for.

    python -m benchmarks.ratio_tables [--runs benchmarks/results/label_ratio.parquet …] [--sets pets stamps] [--peers]

Label ratios, areas and calibration as `python -m benchmarks.label_ratio` prints them, and the same in seconds of a
person; with --peers those of `benchmarks/results/peers.parquet` beside them. The comparison with a linear probe
without class texts needs runs that are not kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.label_ratio import in_seconds, markdown
from benchmarks.learning_curves import RESULTS, RUNS
from benchmarks.options import told
from benchmarks.peers.table import against_peers
from probal.errors import UserError
from probal.simulate import Hands
from probal.simulate.play import CURVES
from probal.simulate.table_file import FACTS


def runs_of(path: Path) -> list[dict[str, Any]]:
    """The runs of a Parquet file of `write_parquet`, as `result_of` has them; UserError where there is none."""
    if not path.exists():
        raise UserError(f"{path} is not there; `python -m benchmarks.label_ratio` writes such a file")
    frame = pd.read_parquet(path).sort_values([*FACTS, "conditions", "round"], kind="stable")
    return [
        {
            **dict(zip(FACTS, key, strict=False)),
            "conditions": json.loads(key[-1]),
            **{name: rounds[name].tolist() for name in CURVES},
        }
        for key, rounds in frame.groupby([*FACTS, "conditions"], sort=False)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, nargs="+", default=[RUNS[0]])
    parser.add_argument("--sets", nargs="+", metavar="SET", help="all that were run if left out")
    parser.add_argument(
        "--peers", action="store_true", help=f"with the runs of {RUNS[1].relative_to(RESULTS)}"
    )
    arguments = parser.parse_args()
    runs = [run for path in arguments.runs for run in runs_of(path)]
    there = list(dict.fromkeys(run["source"] for run in runs))
    chosen = arguments.sets or there
    unknown = [name for name in chosen if name not in there]
    if unknown:
        raise UserError(f"no runs of '{unknown[0]}'; there are those of {', '.join(there)}")
    peers = runs_of(RUNS[1]) if arguments.peers else []
    kept = [run for name in chosen for run in [*runs, *peers] if run["source"] == name]
    print(markdown(kept, []))
    print(in_seconds(kept, Hands()))
    if peers:
        print(f"\n{against_peers(kept)}")


if __name__ == "__main__":
    told(main)
