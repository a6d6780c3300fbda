"""Explore's view of clusters that fit no class, each offered as a new one."""

from __future__ import annotations

import streamlit as st

from probal import validate
from probal.classes import ClassEditor
from probal.errors import UserError
from probal.explore import Catalog, catalog_key
from probal.explore.actions import bulk_label
from probal.explore.catalog import NONE
from probal.explore.novel import Cluster, unfit_clusters
from probal.types import ClassInfo, Project
from probal.ui.context import annotator, empty_state, open_workspace
from probal.ui.explore_state import last_done, remember
from probal.ui.explore_tiles import clear, tiles
from probal.workspace import Workspace

MOST_TILES = 18


@st.cache_resource(max_entries=4, show_spinner="Looking for clusters …")
def _clusters(
    key: tuple[object, ...], _workspace: Workspace, _project: Project, _catalog: Catalog
) -> list[Cluster]:
    return unfit_clusters(_workspace, _project, _catalog)


def novel_view(project: Project, catalog: Catalog, classes: list[ClassInfo]) -> None:
    """Clusters among the images least sure of their class, with a field for a name each."""
    workspace = open_workspace()
    if not (catalog.predicted != NONE).any():
        empty_state("No predictions yet", "They come with the next round; label a batch first.")
        return
    last_done(project)
    found = _clusters(catalog_key(workspace, project), workspace, project, catalog)
    if not found:
        empty_state(
            "Nothing stands out",
            "Among the images that the model is least sure of, none lie so close together that they look like a "
            "class of their own. Look again after more labels.",
        )
        return
    st.write(
        "The quarter of the images that the model is least sure of, grouped by likeness. A group may be a class that "
        "is missing, or images between two classes: look before you name it."
    )
    for number, cluster in enumerate(found):
        _cluster(project, catalog, classes, cluster, number)


def _cluster(
    project: Project, catalog: Catalog, classes: list[ClassInfo], cluster: Cluster, number: int
) -> None:
    key = f"explore-novel-{project.id}-{catalog.ids[cluster.rows].min()}"
    with st.container(border=True):
        st.markdown(
            f"**{len(cluster.rows)} images** whose likeliest class has {cluster.confidence:.0%} on average"
        )
        chosen = tiles(
            catalog,
            cluster.rows[:MOST_TILES].tolist(),
            classes,
            key,
            f"Cluster {number + 1}, the most typical first",
        )
        ids = chosen or catalog.ids[cluster.rows[:MOST_TILES]].tolist()
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Name of the class", key=f"{key}-name", width=260)
            st.button(
                f"Make it a class with the {len(ids)} {'chosen' if chosen else 'shown'}",
                key=f"{key}-make",
                icon=":material/add:",
                on_click=_make,
                args=(project, ids, key),
            )


def _make(project: Project, image_ids: list[int], key: str) -> None:
    """Add the class, or take the one of that name, and label the images with it."""
    store = open_workspace().store
    name = validate.clean(str(st.session_state.get(f"{key}-name", "")))
    known = {each.name: each.id for each in store.classes(project.id)}
    try:
        if name not in known:
            ClassEditor(store, project).add(name)
            known = {each.name: each.id for each in store.classes(project.id)}
        done = bulk_label(store, project, image_ids, known[name], annotator())
    except UserError as error:
        remember(project, str(error), (), good=False)
        return
    remember(project, f"Labeled {len(done.event_ids):,} images as {name}.", done.event_ids)
    clear(key)
