"""Explore's first view: the map, the images found, and what to do with them."""

from __future__ import annotations

import numpy as np
import streamlit as st

from probal.errors import UserError
from probal.explore import Catalog, files
from probal.explore.actions import add_to_batch, ask
from probal.explore.duplicates import widen
from probal.types import ClassInfo, JobKind, Project
from probal.ui.context import open_workspace
from probal.ui.explore_find import find, show_like
from probal.ui.explore_map import map_view, on_map, show_around
from probal.ui.explore_state import (
    label_images,
    last_done,
    name_field,
    pending,
    problem,
    remember,
    wait_for,
)
from probal.ui.explore_tiles import tiles

PAGE = 60
TILES = "explore-tiles"


def images_view(project: Project, catalog: Catalog, classes: list[ClassInfo]) -> None:
    """Controls, map, thumbnails and actions."""
    found = find(project, catalog, classes)
    rows = found.rows
    with st.expander("Map", expanded=True, icon=":material/scatter_plot:"):
        part = map_view(project, catalog, rows, classes)
    rows = rows if part is None else part
    if not len(rows):
        st.info("No image passes. Take a filter away, or another part of the map.")
        return
    place = (
        " in that part of the map" if part is not None else " that pass the filters" if found.filtered else ""
    )
    st.subheader(f"{len(rows):,} {'image' if len(rows) == 1 else 'images'}{place}", anchor=False)
    last_done(project)
    actions = st.container()
    pages = -(-len(rows) // PAGE)
    if st.session_state.get("explore-page", 1) > pages:
        st.session_state["explore-page"] = 1
    page = st.pagination(pages, key="explore-page") if pages > 1 else 1
    shown = rows[(page - 1) * PAGE : page * PAGE]
    chosen = tiles(catalog, shown.tolist(), classes, TILES)
    with actions:
        _actions(project, catalog, classes, chosen, shown, rows)
    if len(chosen) == 1 and open_workspace().store.get_setting(project.id, files.PROBVLM):
        _cloud(project, catalog, classes, chosen[0])


def _actions(
    project: Project,
    catalog: Catalog,
    classes: list[ClassInfo],
    chosen: list[int],
    page: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Label, propose, look for more: what can be done with images, and with which."""
    choices = {
        "chosen": (f"Chosen ({len(chosen)})", catalog.rows(chosen)),
        "page": (f"This page ({len(page):,})", page),
        "all": (f"All found ({len(rows):,})", rows),
    }
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.segmented_control(
            "Use", list(choices), format_func=lambda each: choices[each][0], default="chosen", required=True,
            key="explore-use",
        )  # fmt: skip
        some = choices[which or "chosen"][1]
        wide = widen(catalog, some)
        if len(wide) > len(some) and st.checkbox(f"and near-duplicates (+{len(wide) - len(some):,})"):
            some = wide
        ids = catalog.ids[some].tolist()
        names = {each.id: each.name for each in classes}
        class_id = st.selectbox(
            "Class", list(names), format_func=lambda each: names[each], index=None, placeholder="Class", width=200,
            key="explore-class",
        )  # fmt: skip
        st.button(
            f"Label {len(ids):,}" if ids else "Label",
            type="primary",
            icon=":material/label:",
            disabled=not ids or class_id is None,
            on_click=label_images,
            args=(project, ids, class_id, bool(st.session_state.get("explore-relabel")), TILES),
        )
        st.button(
            "Add to the next batch",
            icon=":material/playlist_add:",
            disabled=not ids,
            on_click=_propose,
            args=(project, ids),
            help="They come up first on the Label page, once the worker has chosen the rest of the batch.",
        )
        st.button(
            "More like these",
            icon=":material/image_search:",
            disabled=not ids or len(ids) > 200,
            on_click=show_like,
            args=(project, ids),
        )
        st.button(
            "Around these on the map",
            icon=":material/radar:",
            disabled=not ids or len(ids) > 200 or not on_map(catalog, ids),
            on_click=show_around,
            args=(project, ids),
            help="The part of the map around them, as a lasso would take it.",
        )
        with st.popover("Options", icon=":material/tune:"):
            name_field()
            st.checkbox("Change labels that are there", key="explore-relabel")
            st.caption("Audit images never appear here: they are labeled one by one and blind.")
    if not ids:
        st.caption(
            "Choose images below: a click, shift and a click for a row of them, or arrows and the space bar."
        )


def _propose(project: Project, image_ids: list[int]) -> None:
    try:
        n = add_to_batch(open_workspace().store, project, image_ids)
    except UserError as error:
        remember(project, str(error), (), good=False)
    else:
        remember(
            project, f"{n:,} {'image waits' if n == 1 else 'images wait'} at the head of the next batch.", ()
        )


def _cloud(project: Project, catalog: Catalog, classes: list[ClassInfo], image_id: int) -> None:
    """The images that an image's embedding distribution takes in, by ProbVLM."""
    image = catalog.images[int(catalog.rows([image_id])[0])]
    st.subheader("What else it could be", anchor=False)
    found = files.read_json(files.cloud_path(open_workspace(), project, image.content_hash))
    if found is None:
        if pending(project, JobKind.ANSWER):
            wait_for(project, JobKind.ANSWER)
        elif st.button("Show its distribution", icon=":material/blur_on:"):
            ask(open_workspace().store, project, image_id=image_id)
            st.rerun()
        else:
            problem(project, JobKind.ANSWER)
        return
    shares = dict(found["neighbours"])
    near = catalog.rows(list(shares))
    st.caption(
        f"ProbVLM gives each image a distribution of embeddings. Drawn from this one's, {len(shares)} other images "
        f"come out nearest; the first in {max(shares.values(), default=0):.0%} of the draws."
    )
    near = near[np.argsort([-shares[each] for each in catalog.ids[near].tolist()], kind="stable")]
    tiles(catalog, near[:12].tolist(), classes, "explore-cloud", "Images of the distribution")
