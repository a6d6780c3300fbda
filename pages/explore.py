"""Explore: look around in the pool, and label or propose what is found."""

from __future__ import annotations

import streamlit as st

from probal.types import Project
from probal.ui.context import empty_state, open_workspace, require_project
from probal.ui.explore_doubts import doubts_view
from probal.ui.explore_groups import groups_view
from probal.ui.explore_images import images_view
from probal.ui.explore_novel import novel_view
from probal.ui.explore_state import catalog_of

VIEWS = {
    "Images": images_view,
    "Near-duplicates": groups_view,
    "Doubtful labels": doubts_view,
    "New classes": novel_view,
}


@st.fragment
def view(project: Project, name: str) -> None:
    """One of the views; what is clicked in it draws it anew and not the whole page."""
    classes = open_workspace().store.classes(project.id)
    VIEWS[name](project, catalog_of(project), classes)


project = require_project()
st.title("Explore", anchor=False)
if open_workspace().store.latest_round(project.id) is None:
    empty_state(
        "Nothing to explore yet",
        "The images are still being read. How far that is stands on the Pool page; come back when it is done.",
    )
    if st.button("Pool", type="primary", icon=":material/photo_library:"):
        st.switch_page("pool.py", query_params={"project": project.name})
    st.stop()
chosen = st.segmented_control(
    "View", list(VIEWS), default="Images", required=True, key="explore-view", label_visibility="collapsed"
)
view(project, chosen or "Images")
