"""Figures about the model: per class, what it mixes up, how far its confidence holds, how unsure it is."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from probal.ui.charts import ACCENT, HEIGHT, OTHERS, QUIET, plain
from probal.ui.progress_data import Confusion

MARGIN = {"l": 8, "r": 12, "t": 30, "b": 8}
"""Room for the camera at the top."""
_CLEAR = "rgba(20, 144, 127, 0.02)"
_NUMBERED = 15
"""Classes up to which the counts are written into the cells."""


def per_class(table: pd.DataFrame) -> go.Figure:
    """Accuracy of each class with its 95% interval, in the classes' order; a class never tested has no point."""
    rows = list(table.itertuples(index=False))
    at = [i for i, row in enumerate(rows) if row[5]]
    tested = table.iloc[at]
    share = tested["accuracy"].astype(float)
    figure = go.Figure(
        go.Scatter(
            x=share,
            y=at,
            mode="markers",
            marker={"color": ACCENT, "size": 11},
            cliponaxis=False,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": tested["high"].astype(float) - share,
                "arrayminus": share - tested["low"].astype(float),
                "color": ACCENT,
                "thickness": 2,
                "width": 0,
            },
            hovertext=[
                f"{plain(str(row[0]))}: {row[2]:.0%} of {row[5]} images<br>95% interval {row[3]:.0%} to {row[4]:.0%}"
                for row in rows
                if row[5]
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    figure.update_layout(height=60 + 30 * len(rows), margin={**MARGIN, "r": 36})
    figure.update_xaxes(range=[0, 1.001], dtick=0.25, tickformat=".0%", zeroline=False)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[plain(str(row[0])) for row in rows],
        range=[len(rows) - 0.5, -0.5],
        zeroline=False,
    )
    return figure


def confusion_matrix(found: Confusion) -> go.Figure:
    """Label down, model's call across; the colour is the share of the row, the number the images."""
    names = [plain(each.name) for each in found.classes]
    total = found.counts.sum(1, keepdims=True)
    share = found.counts / total.clip(min=1)
    n = len(names)
    few = n <= _NUMBERED
    figure = go.Figure(
        go.Heatmap(
            z=share,
            customdata=found.counts,
            hovertext=[[f"{a} called {b}" for b in names] for a in names],
            hovertemplate="%{hovertext}<br>%{customdata} images, %{z:.0%} of the class<extra></extra>",
            colorscale=[[0, _CLEAR], [1, ACCENT]],
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=1,
            ygap=1,
        )
    )
    if few:
        # written by hand: Plotly chooses the ink for an opaque cell, and pale cells are nearly clear
        cells = [(i, j) for i in range(n) for j in range(n) if found.counts[i, j]]
        figure.add_scatter(
            x=[j for _, j in cells],
            y=[i for i, _ in cells],
            text=[str(found.counts[cell]) for cell in cells],
            mode="text",
            textfont={"color": ["#ffffff" if share[cell] > 0.5 else QUIET for cell in cells]},
            hoverinfo="skip",
            showlegend=False,
        )
    figure.update_layout(height=min(720, 150 + (34 if few else 20) * n), margin=MARGIN)
    ticks = {"tickvals": list(range(n)), "ticktext": names, "showgrid": False, "zeroline": False}
    figure.update_xaxes(title="Called by the model", range=[-0.5, n - 0.5], **ticks)
    figure.update_yaxes(title="Label", range=[n - 0.5, -0.5], **ticks)
    return figure


def reliability_diagram(table: pd.DataFrame) -> go.Figure:
    """Share of hits against stated confidence, 95% intervals; a calibrated model is on the dotted line."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": QUIET, "dash": "dot", "width": 1}, hoverinfo="skip"
    )
    hits = table["accuracy"]
    most = max(int(table["images"].max()), 1)
    figure.add_scatter(
        x=table["confidence"],
        y=hits,
        mode="markers",
        cliponaxis=False,
        marker={"color": ACCENT, "size": [8 + 12 * (n / most) ** 0.5 for n in table["images"]]},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": table["high"] - hits,
            "arrayminus": hits - table["low"],
            "color": ACCENT,
            "thickness": 1.5,
        },
        hovertext=[
            f"says {row.confidence:.0%}, is right {row.accuracy:.0%}<br>{row.images} images"
            for row in table.itertuples()
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    figure.update_layout(height=HEIGHT, margin=MARGIN, showlegend=False)
    figure.update_xaxes(title="The model's confidence", tickformat=".0%", range=[0, 1.03], zeroline=False)
    figure.update_yaxes(title="Share that is right", tickformat=".0%", range=[0, 1.03], zeroline=False)
    return figure


def uncertainty_curve(table: pd.DataFrame) -> go.Figure:
    """Mean uncertainty of the pool by labels given, and the part of it that labels can take away."""
    figure = go.Figure()
    lines = (("total", "All of it", ACCENT), ("epistemic", "What labels can still teach", OTHERS[0]))
    for column, name, color in lines:
        figure.add_scatter(
            x=table["labels"],
            y=table[column],
            name=name,
            mode="lines+markers",
            line={"color": color, "width": 2},
            marker={"size": 7},
            cliponaxis=False,
            hovertemplate="%{x} labels: %{y:.3f} nats<extra></extra>",
        )
    return _by_labels(figure, "Mean uncertainty, nats")


def pace_curve(table: pd.DataFrame) -> go.Figure:
    """Labels per hour of work, block by block."""
    figure = go.Figure()
    figure.add_scatter(
        x=table["labels"],
        y=table["labels per hour"],
        mode="lines+markers",
        line={"color": ACCENT, "width": 2},
        marker={"size": 7},
        cliponaxis=False,
        hovertext=[f"{row:.1f} s for an image" for row in table["median seconds"]],
        hovertemplate="up to label %{x}: %{y:,.0f} per hour<br>%{hovertext}<extra></extra>",
    )
    return _by_labels(figure, "Labels per hour")


def _by_labels(figure: go.Figure, title: str) -> go.Figure:
    figure.update_layout(
        height=HEIGHT - 60,
        margin=MARGIN,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(title="Labels given", rangemode="tozero", zeroline=False)
    figure.update_yaxes(title=title, rangemode="tozero", zeroline=False)
    return figure
