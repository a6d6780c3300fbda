"""Mounts the labeling surface on a page. It talks to the API itself; labeling never runs the page again."""

from __future__ import annotations

import streamlit as st

from probal.types import Project
from probal.ui.context import annotator, open_workspace, signed_in, workspace_id
from probal.web.labeler import script, style

# not isolated, so that the marks in `data-testid` are found from the page's own document
_component = st.components.v2.component("probal_labeler", css=style(), js=script(), isolate_styles=False)


def labeler(project: Project) -> None:
    """The labeler of a project. Its data change only with the classes: a rerun leaves it as it is."""
    workspace = open_workspace()
    classes = [
        {"id": info.id, "name": info.name, "key": info.key, "color": info.color}
        for info in workspace.store.classes(project.id)
    ]
    _component(
        key=f"labeler-{project.id}",
        data={
            "api": "/api",
            "workspace": workspace_id(workspace),
            "project": project.name,
            "token": workspace.token,
            "annotator": annotator(),
            "signed_in": signed_in() is not None,
            "classes": classes,
        },
    )
