"""The curve of the Progress page, and labels per class. Colours can be read on the light and on the dark theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import plotly.graph_objects as go

from probal.evaluation import Projection
from probal.types import ClassInfo, Metric
from probal.ui.progress_data import always_valid

ACCENT = "#14907f"
BAND = "rgba(20, 144, 127, 0.16)"
QUIET = "#8a94a0"
OTHERS = ("#d9662b", "#7a70d6", "#b8860b", "#3b82c4")
"""Lines of other projects."""
ACCURACY = "accuracy"
CONTROL = "random_control_accuracy"
HEIGHT = 380


def accuracy_curve(
    metrics: Sequence[Metric],
    projected: Sequence[Projection] = (),
    others: Mapping[str, Sequence[Metric]] | None = None,
    name: str = "Accuracy",
    always: bool = False,
) -> go.Figure:
    """Accuracy against labels spent: interval as a band, preliminary points hollow, the start as a line.

    The start is the point measured before the first label; a random control is drawn dashed if measured.

    Args:
        projected: gains of the next labels, drawn behind the last point with their 80% intervals.
        others: measurements of other projects by name, drawn as lines beside it.
        name: of the line in the legend.
        always: with the wider band too that holds at all rounds and looks together.
    """
    points = latest_per_labels(metrics, ACCURACY)
    control = latest_per_labels(metrics, CONTROL)
    beside = {other: latest_per_labels(theirs, ACCURACY) for other, theirs in (others or {}).items()}
    figure = go.Figure()
    if points and always:
        _always_band(figure, points)
    if points:
        _band(figure, points)
        _line(figure, points, name, ACCENT, "solid")
        if points[0].labels == 0:
            figure.add_hline(
                y=points[0].value,
                line={"color": QUIET, "width": 1, "dash": "dot"},
                annotation={"text": f"before any label: {points[0].value:.0%}", "font": {"color": QUIET}},
                annotation_position="bottom right",
            )
    if control:
        _line(figure, control, "Random choice", QUIET, "dash")
    if points and projected:
        _projection(figure, points[-1], projected)
    for color, (other, theirs) in zip(cycle(OTHERS), beside.items(), strict=False):
        _line(figure, theirs, other, color, "solid")
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 12, "t": 30, "b": 8},
        showlegend=bool(control or beside or always or (points and projected)),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
    )
    figure.update_xaxes(title="Labels given", rangemode="tozero", dtick=_tick(points), zeroline=False)
    drawn = [*points, *control, *(each for theirs in beside.values() for each in theirs)]
    ahead = (
        [points[-1].value + gain for each in projected for gain in (each.low, each.high)] if points else []
    )
    figure.update_yaxes(title="Accuracy", tickformat=".0%", range=_range(drawn, ahead), zeroline=False)
    return figure


def class_balance(classes: Sequence[ClassInfo], counts: Mapping[int, int]) -> go.Figure:
    """Labels per class as horizontal bars, in the classes' order."""
    names = [info.name for info in classes]
    values = [counts.get(info.id, 0) for info in classes]
    bars = go.Bar(
        x=values,
        y=list(range(len(names))),
        orientation="h",
        marker={"color": ACCENT},
        text=values,
        textposition="outside",
        cliponaxis=False,
        hovertext=names,
        hovertemplate="%{hovertext}: %{x}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_layout(height=60 + 30 * len(names), margin={"l": 8, "r": 40, "t": 30, "b": 8}, bargap=0.35)
    figure.update_xaxes(visible=False)
    # positions and not names as categories: two names that Plotly reads as numbers must not become an axis
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=[plain(name) for name in names], autorange="reversed"
    )
    return figure


def latest_per_labels(metrics: Sequence[Metric], name: str) -> list[Metric]:
    """The metric's points by labels spent; of several at the same count the last one measured."""
    points = {metric.labels: metric for metric in metrics if metric.name == name}
    return [points[labels] for labels in sorted(points)]


def _line(figure: go.Figure, points: Sequence[Metric], name: str, color: str, dash: str) -> None:
    symbols = ["circle-open" if point.preliminary else "circle" for point in points]
    figure.add_scatter(
        x=[point.labels for point in points],
        y=[point.value for point in points],
        name=name,
        mode="lines+markers",
        line={"color": color, "width": 2, "dash": dash},
        marker={"symbol": symbols, "size": 9, "color": color, "line": {"width": 2, "color": color}},
        cliponaxis=False,
        hovertext=[_tell(point) for point in points],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _band(figure: go.Figure, points: Sequence[Metric]) -> None:
    known = [point for point in points if point.low is not None and point.high is not None]
    labels = [point.labels for point in known]
    figure.add_scatter(
        x=[*labels, *reversed(labels)],
        y=[*(point.high for point in known), *(point.low for point in reversed(known))],
        fill="toself",
        fillcolor=BAND,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        name="95% interval",
    )
    if len(known) == 1:
        # a band of one point has no width to be seen by
        only = known[0]
        figure.add_scatter(
            x=[only.labels, only.labels],
            y=[only.low, only.high],
            mode="lines",
            line={"color": BAND, "width": 10},
            hoverinfo="skip",
            showlegend=False,
            name="95% interval",
        )


def _always_band(figure: go.Figure, points: Sequence[Metric]) -> None:
    labels = [point.labels for point in points]
    for side, ends in enumerate(zip(*always_valid(points), strict=True)):
        figure.add_scatter(
            x=labels,
            y=ends,
            mode="lines",
            line={"color": ACCENT, "width": 1, "dash": "dot"},
            hoverinfo="skip",
            name="Holds at every look",
            legendgroup="always",
            showlegend=side == 0,
        )


def _projection(figure: go.Figure, last: Metric, projected: Sequence[Projection]) -> None:
    """Dotted from the last point on, with bars from the low to the high end of each gain."""
    figure.add_scatter(
        x=[last.labels, *(last.labels + each.labels for each in projected)],
        y=[last.value, *(last.value + each.gain for each in projected)],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [0, *(each.high - each.gain for each in projected)],
            "arrayminus": [0, *(each.gain - each.low for each in projected)],
            "color": ACCENT,
            "thickness": 1.5,
        },
        name="Projected",
        mode="lines+markers",
        line={"color": ACCENT, "width": 2, "dash": "dot"},
        marker={"symbol": "diamond-open", "size": 8, "color": ACCENT},
        hovertext=[
            _tell(last),
            *(
                f"{each.labels} more labels: {last.value + each.gain:.1%}<br>80% interval "
                f"{last.value + each.low:.1%} to {last.value + each.high:.1%}"
                for each in projected
            ),
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        cliponaxis=False,
    )


def _tell(point: Metric) -> str:
    lines = [f"{point.labels} labels: {point.value:.1%}"]
    if point.low is not None and point.high is not None:
        lines.append(f"95% interval {point.low:.1%} to {point.high:.1%}")
    lines.append(f"measured on {point.n} images" + (", preliminary" if point.preliminary else ""))
    return "<br>".join(lines)


def _range(points: Sequence[Metric], ahead: Sequence[float]) -> list[float]:
    """The axis in tenths around all intervals: the whole of 0 to 1 would hide what a round brings."""
    lows = [*(point.value if point.low is None else point.low for point in points), *ahead]
    highs = [*(point.value if point.high is None else point.high for point in points), *ahead]
    if not points:
        return [0.0, 1.0]
    return [max(0.0, int(10 * min(lows)) / 10 - 0.05), min(1.02, int(10 * max(highs) + 1) / 10 + 0.02)]


def _tick(points: Sequence[Metric]) -> int | None:
    """Whole labels on the axis where there are few, else Plotly's own choice."""
    return 1 if points and points[-1].labels <= 5 else None


def plain(name: str) -> str:
    """Plotly reads a little HTML in its texts; a class name is not to be read so."""
    return name.replace("&", "&amp;").replace("<", "&lt;")
