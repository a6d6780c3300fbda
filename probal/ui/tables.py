"""Tables of the Progress and Export pages."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from probal.types import Metric, Round


def rounds_table(rounds: Sequence[Round], metrics: Sequence[Metric]) -> pd.DataFrame:
    """One row a round, newest first; accuracy where it was measured, decisions where the strategy made any."""
    accuracy = {metric.round_index: f"{metric.value:.1%}" for metric in metrics if metric.name == "accuracy"}
    return pd.DataFrame(
        [
            {
                "Round": one.index + 1,
                "Labels": one.n_labels,
                "Trained on": one.n_train,
                "Accuracy": accuracy.get(one.index, "–"),
                "Strategy": one.strategy,
                "Covered": _share(one, "covered"),
                "Doubt": _share(one, "doubt"),
                "Computed in": f"{sum(one.timings.values()):.1f} s",
                "Proposed": one.created_at,
            }
            for one in sorted(rounds, key=lambda one: one.index, reverse=True)
        ]
    )


def _share(one: Round, decision: str) -> str:
    value = one.config.get("decided", {}).get(decision)
    return "–" if value is None else f"{value:.0%}"
