"""The map of a pool as one WebGL chart, coloured by what someone wants to compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from probal.explore import Catalog
from probal.explore.catalog import NONE
from probal.types import ClassInfo

QUIET = "#8a94a0"
# told apart on white and on near-black alike; after these the colours begin again
PALETTE = (
    *(
        "#0f8f84",
        "#d9622b",
        "#6f63d2",
        "#b8860b",
        "#c23b75",
        "#3f86d1",
        "#5f9e2f",
        "#a04ec0",
        "#d04545",
        "#1fa3b8",
    ),
    *(
        "#8c6d46",
        "#7d8f1e",
        "#e07ba0",
        "#4a6fb5",
        "#bb7a2a",
        "#3aa06f",
        "#9a86e0",
        "#c9574f",
        "#6c8fa3",
        "#a8a034",
    ),
)
HEIGHT = 420
COLORS = ("Prediction", "Label", "Uncertainty", "Annotator", "Round")


def map_chart(catalog: Catalog, rows: np.ndarray, color: str, classes: Sequence[ClassInfo]) -> go.Figure:
    """The map's images, those of `rows` [M] in colour and the others faint; `customdata` carries image ids.

    Coordinates and ids go as typed arrays: 50,000 points are 0.8 MB on the wire.
    """
    placed = np.isfinite(catalog.xy[:, 0])
    shown = np.zeros(len(catalog), bool)
    shown[rows] = True
    figure = go.Figure()
    behind = np.flatnonzero(placed & ~shown)
    if len(behind):
        _points(
            figure, catalog, behind, "not among those found", {"color": QUIET, "opacity": 0.15}, quiet=True
        )
    rows = np.flatnonzero(placed & shown)
    if color == "Uncertainty":
        _by_number(figure, catalog, rows)
    else:
        for name, some, colour in _parts(catalog, rows, color, classes):
            faint = colour == QUIET
            _points(figure, catalog, some, name, {"color": colour, "opacity": 0.4 if faint else 0.85})
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 0, "r": 0, "t": 30, "b": 0},
        dragmode="lasso",
        hovermode="closest",
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "itemsizing": "constant"},
        # dragging and zooming outlast a change of colour
        uirevision="map",
    )
    axis = {"visible": False, "range": [-1.05, 1.05]}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def _parts(
    catalog: Catalog, rows: np.ndarray, color: str, classes: Sequence[ClassInfo]
) -> list[tuple[str, np.ndarray, str]]:
    """(name, rows, colour) of each part of the map, the part without a value first so that it lies below."""
    names = {each.id: each.name for each in classes}
    colours = {each.id: each.color or PALETTE[i % len(PALETTE)] for i, each in enumerate(classes)}
    values = {
        "Prediction": catalog.predicted,
        "Label": catalog.label,
        "Annotator": catalog.annotator,
        "Round": catalog.round,
    }[color][rows]
    none = "has a label" if color == "Prediction" else "no label"
    by_class = color in ("Prediction", "Label")
    parts = []
    for position, value in enumerate(np.unique(values).tolist()):
        if value == NONE:
            parts.append((none, rows[values == value], QUIET))
            continue
        colour = colours.get(value, QUIET) if by_class else PALETTE[position % len(PALETTE)]
        if by_class:
            name = names.get(value, "archived class")
        else:
            name = catalog.annotators[value] if color == "Annotator" else f"round {value + 1}"
        parts.append((name, rows[values == value], colour))
    return parts


def _by_number(figure: go.Figure, catalog: Catalog, rows: np.ndarray) -> None:
    """Entropy as a colour scale; images without a prediction stay grey."""
    known = np.isfinite(catalog.entropy[rows])
    if not known.all():
        _points(figure, catalog, rows[~known], "has a label", {"color": QUIET, "opacity": 0.4})
    some = rows[known]
    marker = {
        "color": catalog.entropy[some].astype(np.float32),
        "colorscale": "Viridis",
        "opacity": 0.9,
        "colorbar": {"title": {"text": "nats"}, "thickness": 10, "len": 0.6},
    }
    if len(some):
        _points(figure, catalog, some, "uncertainty", marker)
    figure.update_layout(showlegend=False)


def _points(
    figure: go.Figure,
    catalog: Catalog,
    rows: np.ndarray,
    name: str,
    marker: dict[str, Any],
    quiet: bool = False,
) -> None:
    size = 9 if len(catalog) < 1500 else 6 if len(catalog) < 10_000 else 4
    figure.add_scattergl(
        x=catalog.xy[rows, 0],
        y=catalog.xy[rows, 1],
        customdata=catalog.ids[rows].astype(np.int32),
        mode="markers",
        name=_plain(name),
        marker={"size": size, **marker},
        hoverinfo="skip" if quiet else "name",
        showlegend=not quiet,
    )


def selected_ids(event: Any) -> list[int]:
    """Image ids of the points that a lasso, a box or a click took in."""
    points = event["selection"]["points"] if event else []
    found = (point.get("customdata") for point in points)
    return [int(each[0] if isinstance(each, list) else each) for each in found if each is not None]


def _plain(name: str) -> str:
    """Plotly reads a little HTML in its texts; a class name is not to be read so."""
    return name.replace("&", "&amp;").replace("<", "&lt;")
