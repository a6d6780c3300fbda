"""The pictures of a simulation's report: one metric over labels, every strategy a line with its interval."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.colors import convert_colors_to_same_type

from probal.simulate.compare import estimate
from probal.simulate.hands import Hands, mean_seconds
from probal.simulate.summary import Group

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_DASHES = ("solid", "dash", "dot", "dashdot")
"""Okabe and Ito's palette, told apart by colour-blind readers; once through it, the next kind of line."""

TITLES = {
    "accuracy": ("Accuracy on held-out images", ".0%"),
    "debiased_ece": ("Calibration error, less what chance makes of it", ".1%"),
    "nll": ("Negative log likelihood, nats", ".2f"),
    "seconds": ("Seconds per round: fit and choice", ".2f"),
}


def metric_figure(group: Group, metric: str, hands: Hands | None = None) -> go.Figure:
    """`metric` over labels, or a person's seconds, with Student's 95 % intervals over seeds."""
    title, tick = TITLES[metric]
    figure = go.Figure()
    for order, name in enumerate(group.series):
        color, dash = _COLORS[order % len(_COLORS)], _DASHES[order // len(_COLORS) % len(_DASHES)]
        line = group.curve(name, metric)
        points = [estimate(column) for column in line.values.T]
        x = line.labels if hands is None else mean_seconds(group.series[name], hands)
        if len(line.seeds) > 1:
            low = np.array([point.low for point in points], float)
            high = np.array([point.high for point in points], float)
            if metric == "accuracy":  # Student's interval of few seeds reaches beyond what a share can be
                low, high = low.clip(0, 1), high.clip(0, 1)
            figure.add_scatter(
                x=[*x.tolist(), *x[::-1].tolist()], y=[*high.tolist(), *low[::-1].tolist()],
                mode="lines", fill="toself", fillcolor=_faint(color), line={"width": 0}, hoverinfo="skip",
                showlegend=False, legendgroup=name,
            )  # fmt: skip
        figure.add_scatter(
            x=x.tolist(), y=[point.mean for point in points], mode="lines+markers", name=name,
            line={"color": color, "width": 2, "dash": dash}, marker={"size": 5}, legendgroup=name,
        )  # fmt: skip
    figure.update_layout(
        title=title, xaxis_title="labels" if hands is None else "seconds of a person",
        yaxis_tickformat=tick, template="plotly_white", hovermode="x unified", height=420, margin={"t": 50, "b": 40},
    )  # fmt: skip
    return figure


def _faint(color: str) -> str:
    (rgb,), _ = convert_colors_to_same_type([color], "rgb")
    return rgb.replace("rgb", "rgba").replace(")", ", 0.15)")
