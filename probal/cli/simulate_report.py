"""What a simulation says: areas under the curves, paired differences with their intervals, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

BASELINE = "random"
LEVEL = 0.95
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Okabe and Ito's palette: told apart by colour-blind readers."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds; the interval is None with a single seed."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class StrategySummary:
    strategy: str
    seeds: int
    zero_shot: Estimate
    final: Estimate
    """Accuracy after the last batch."""
    area: Estimate
    """Mean accuracy along the curve, from no label to the budget (trapezoids)."""
    area_gain: Estimate | None
    """Paired by seed: its area less random's; None for random itself or where random did not run."""
    final_gain: Estimate | None


def area_under(labels: Sequence[int], accuracy: Sequence[float]) -> float:
    """Mean of the piecewise linear curve over its labels; the accuracy itself for a single point."""
    if len(labels) == 1:
        return float(accuracy[0])
    return float(np.trapezoid(accuracy, labels) / (labels[-1] - labels[0]))


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and Student's 95 % interval of independent `values`."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None, None)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * stats.sem(values))
    return Estimate(mean, mean - half, mean + half)


def summarize(runs: Sequence[Mapping[str, Any]]) -> list[StrategySummary]:
    """One summary per strategy, in the order the strategies first appear."""
    by_strategy: dict[str, dict[int, Mapping[str, Any]]] = {}
    for run in runs:
        by_strategy.setdefault(run["strategy"], {})[run["seed"]] = run
    areas = {
        name: {seed: area_under(run["labels"], run["accuracy"]) for seed, run in seeds.items()}
        for name, seeds in by_strategy.items()
    }
    finals = {
        name: {seed: float(run["accuracy"][-1]) for seed, run in seeds.items()}
        for name, seeds in by_strategy.items()
    }
    return [
        StrategySummary(
            strategy=name,
            seeds=len(seeds),
            zero_shot=estimate([run["accuracy"][0] for run in seeds.values()]),
            final=estimate(list(finals[name].values())),
            area=estimate(list(areas[name].values())),
            area_gain=_gain(areas, name),
            final_gain=_gain(finals, name),
        )
        for name, seeds in by_strategy.items()
    ]


def _gain(values: Mapping[str, Mapping[int, float]], name: str) -> Estimate | None:
    baseline = values.get(BASELINE, {})
    seeds = sorted(values[name].keys() & baseline.keys())
    if name == BASELINE or not seeds:
        return None
    return estimate([values[name][seed] - baseline[seed] for seed in seeds])


def curves(runs: Sequence[Mapping[str, Any]], strategy: str) -> tuple[list[int], list[Estimate]]:
    """Labels and the accuracy there, over the strategy's seeds; the shortest run sets the length."""
    chosen = [run for run in runs if run["strategy"] == strategy]
    length = min(len(run["labels"]) for run in chosen)
    labels = [int(n) for n in chosen[0]["labels"][:length]]
    return labels, [estimate([run["accuracy"][i] for run in chosen]) for i in range(length)]


def write_plot(result: Mapping[str, Any], to: Path) -> None:
    """The accuracy curves with their 95 % intervals over seeds as one HTML file that needs no network."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for order, summary in enumerate(summarize(result["runs"])):
        color = _COLORS[order % len(_COLORS)]
        labels, points = curves(result["runs"], summary.strategy)
        if summary.seeds > 1:
            # a share: Student's interval of few seeds reaches beyond what an accuracy can be
            band = np.clip([*(p.high for p in points), *(p.low for p in reversed(points))], 0, 1)
            figure.add_scatter(
                x=labels + labels[::-1], y=band, mode="lines", fill="toself", fillcolor=color, opacity=0.18,
                line={"width": 0}, hoverinfo="skip", showlegend=False, legendgroup=summary.strategy,
            )  # fmt: skip
        figure.add_scatter(
            x=labels, y=[p.mean for p in points], mode="lines+markers", name=summary.strategy,
            line={"color": color, "width": 2}, marker={"size": 5}, legendgroup=summary.strategy,
        )  # fmt: skip
    figure.update_layout(
        title=f"{Path(result['source']).name} · {result['encoder']}",
        xaxis_title="labels", yaxis_title="accuracy on held-out images", yaxis_tickformat=".0%",
        template="plotly_white", hovermode="x unified",
    )  # fmt: skip
    figure.write_html(to, include_plotlyjs=True, full_html=True)
