"""Mounts the labeling surface on a page. It talks to the API itself; labeling never runs the page again."""

from __future__ import annotations

import time

import streamlit as st

from probal.types import Project
from probal.ui.context import call_me, open_workspace, signed_in, suggested_name, workspace_id
from probal.web.labeler import script, style
from probal.web.security import person_token

# not isolated, so that the marks in `data-testid` are found from the page's own document
_component = st.components.v2.component("probal_labeler", css=style(), js=script(), isolate_styles=False)


def labeler(project: Project) -> None:
    """The labeler of a project. Its data change only with the classes: a rerun leaves it as it is."""
    workspace = open_workspace()
    classes = [
        {"id": info.id, "name": info.name, "key": info.key, "color": info.color}
        for info in workspace.store.classes(project.id)
    ]
    name = signed_in()
    key = f"labeler-{project.id}"

    def named() -> None:
        call_me(st.session_state[key].person)

    _component(
        key=key,
        on_person_change=named,
        data={
            "api": "/api",
            "workspace": workspace_id(workspace),
            "project": project.name,
            "token": workspace.token if name is None else person_token(workspace.token, name, time.time()),
            "annotator": suggested_name() if name is None else name,
            "signed_in": name is not None,
            "classes": classes,
        },
    )
