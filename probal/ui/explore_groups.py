"""Explore's view of near-duplicates: each group is labeled once, if someone says so."""

from __future__ import annotations

import numpy as np
import streamlit as st

from probal.explore import Catalog, files
from probal.explore.actions import bulk_label
from probal.explore.catalog import NONE
from probal.explore.duplicates import members, settled
from probal.types import ClassInfo, JobKind, Project
from probal.ui.context import annotator, empty_state, open_workspace
from probal.ui.explore_state import ask_button, label_images, last_done, pending, remember, wait_for
from probal.ui.explore_tiles import tiles

PAGE = 8
MOST_TILES = 24


def groups_view(project: Project, catalog: Catalog, classes: list[ClassInfo]) -> None:
    """The groups, the largest first, and a label for all of each."""
    if project.config.image_root is None:
        empty_state(
            "No pictures here", "Near-duplicates are found by looking, and this project has vectors only."
        )
        return
    if not (files.folder(open_workspace(), project) / files.GROUPS).exists():
        empty_state(
            "Not looked for yet",
            "Near-duplicates are resized, recompressed or slightly cropped copies and frames of one scene. The "
            "worker compares all images once; then a group can be labeled in one go.",
        )
        ask_button(project, JobKind.MAP, "Look for near-duplicates")
        return
    if pending(project, JobKind.MAP):
        wait_for(project, JobKind.MAP)
    groups = members(catalog)
    if not groups:
        empty_state("No near-duplicates", "Every image of the pool looks different from every other.")
        return
    last_done(project)
    waiting = [rows for rows in groups if (catalog.label[rows] == NONE).any()]
    left = sum(int((catalog.label[rows] == NONE).sum()) for rows in waiting)
    st.write(
        f"{sum(map(len, groups)):,} images in {len(groups):,} groups; {left:,} of them have no label. A label given "
        "here is one event for each image, under your name; audit images are never in a group."
    )
    _spread(project, catalog)
    if waiting and st.toggle("Only groups with unlabeled images", value=True, key="explore-open-groups"):
        groups = waiting
    pages = -(-len(groups) // PAGE)
    if st.session_state.get("explore-group-page", 1) > pages:
        st.session_state["explore-group-page"] = 1
    page = st.pagination(pages, key="explore-group-page") if pages > 1 else 1
    for rows in groups[(page - 1) * PAGE : page * PAGE]:
        _group(project, catalog, classes, rows)


def _group(project: Project, catalog: Catalog, classes: list[ClassInfo], rows: np.ndarray) -> None:
    """One group: its images, and one label for those chosen or for all."""
    key = f"explore-group-{project.id}-{catalog.ids[rows].min()}"
    names = {each.id: each.name for each in classes}
    with st.container(border=True):
        chosen = tiles(
            catalog, rows[:MOST_TILES].tolist(), classes, key, f"Group of {len(rows)} near-duplicates"
        )
        if len(rows) > MOST_TILES:
            st.caption(f"and {len(rows) - MOST_TILES:,} more")
        ids = chosen or catalog.ids[rows].tolist()
        known = catalog.label[rows][catalog.label[rows] != NONE].tolist() or catalog.predicted[rows].tolist()
        guess = max(set(known), key=known.count)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            class_id = st.selectbox(
                "Class",
                list(names),
                index=list(names).index(guess) if guess in names else None,
                format_func=lambda each: names[each],
                key=f"{key}-class",
                width=220,
            )
            st.button(
                f"Label the {len(chosen)} chosen" if chosen else f"Label all {len(rows)}",
                key=f"{key}-label",
                disabled=class_id is None,
                on_click=label_images,
                args=(project, ids, class_id, bool(chosen), key),
                help="An image that has a label keeps it, unless you chose it.",
            )


def _spread(project: Project, catalog: Catalog) -> None:
    """Labels from the labeled images of each group to the rest of it, where they agree."""
    found = settled(catalog)
    n = sum(map(len, found.values()))
    if n and st.button(
        f"Give {n:,} unlabeled {'image' if n == 1 else 'images'} the label of their group",
        icon=":material/content_copy:",
        help="Only in groups whose labeled images all have the same class.",
    ):
        event_ids: list[str] = []
        for class_id, rows in found.items():
            done = bulk_label(
                open_workspace().store, project, catalog.ids[rows].tolist(), class_id, annotator()
            )
            event_ids += done.event_ids
        remember(project, f"Labeled {len(event_ids):,} near-duplicates.", tuple(event_ids))
        st.rerun()
