"""A simulation's curves as a Parquet table, one row per run and round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from probal.simulate.play import CURVES

FACTS = ("source", "encoder", "strategy", "adapter", "batch_size", "budget", "seed")


def write_parquet(result: Mapping[str, Any], to: Path) -> None:
    """Columns: source … seed, conditions (JSON), round from 0, labels, confirmed, accuracy, nll, ece, debiased_ece,
    seconds."""
    frames = [
        pd.DataFrame(
            {
                **{name: run[name] for name in FACTS},
                "conditions": json.dumps(run["conditions"], sort_keys=True),
                "round": range(len(run["labels"])),
                **{name: run[name] for name in CURVES},
            }
        )
        for run in result["runs"]
    ]
    pd.concat(frames, ignore_index=True).to_parquet(to, index=False)
