"""Explore's map: drawn by the worker; part of it is taken by lasso, or by key around chosen images."""

from __future__ import annotations

import numpy as np
import streamlit as st

from probal.explore import Catalog
from probal.explore.pool_map import MOST
from probal.explore.search import around
from probal.types import ClassInfo, JobKind, Project
from probal.ui.explore_chart import COLORS, map_chart, selected_ids
from probal.ui.explore_state import ask_button

_CENTRES, _HOW_MANY = "explore-centres", "explore-how-many"
_FIRST = 50
"""Images that are taken around the chosen ones before another number is given."""


def map_view(
    project: Project, catalog: Catalog, rows: np.ndarray, classes: list[ClassInfo]
) -> np.ndarray | None:
    """The map or the way to it; the part of `rows` that is taken from it, None where that is all of them."""
    placed = np.isfinite(catalog.xy[:, 0])
    if not placed.any():
        st.write(
            "The map puts images that look alike side by side. The worker draws it once and keeps it; for tens of "
            "thousands of images it takes a few minutes, and the next round of labels waits for that long."
        )
        ask_button(project, JobKind.MAP, "Draw the map")
        return None
    color = st.segmented_control("Color", COLORS, default=COLORS[0], key="explore-color", required=True)
    event = st.plotly_chart(
        map_chart(catalog, rows, str(color), classes),
        key=f"explore-map-{project.id}",
        on_select="rerun",
        selection_mode=("lasso", "box"),
        config={"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["autoScale2d"]},
        alt="Map of the images: those that look alike lie side by side. The list below holds the same images.",
    )
    new = len(catalog) - int(placed.sum())
    if new and len(catalog) <= MOST:
        st.caption(f"{new:,} images came after the map was drawn.")
        ask_button(project, JobKind.MAP, "Draw it again", primary=False)
    elif new:
        st.caption(f"The map shows {int(placed.sum()):,} of {len(catalog):,} images, drawn at random.")
    near = _around(project, catalog, rows)
    ids = selected_ids(event)
    return rows[np.isin(rows, catalog.rows(ids))] if ids else near


def on_map(catalog: Catalog, image_ids: list[int]) -> bool:
    """Whether one of these images has a place on the map."""
    return bool(np.isfinite(catalog.xy[catalog.rows(image_ids), 0]).any())


def show_around(project: Project, image_ids: list[int]) -> None:
    """Take what lies around these images on the map, as a lasso would. A button's callback."""
    st.session_state[_CENTRES] = (project.id, image_ids)


def _around(project: Project, catalog: Catalog, rows: np.ndarray) -> np.ndarray | None:
    """Those of `rows` around the chosen centres, and how many; None without centres."""
    of, centres = st.session_state.get(_CENTRES, (None, []))
    if of != project.id or not centres:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state.setdefault(_HOW_MANY, min(_FIRST, len(catalog)))
        n = st.number_input(
            "Images around those you chose", 1, len(catalog), step=10, key=_HOW_MANY, width=240
        )
        st.button(
            "Whole map", icon=":material/zoom_out_map:", on_click=st.session_state.pop, args=(_CENTRES,)
        )
    return around(catalog, catalog.rows(centres), rows, int(n))
