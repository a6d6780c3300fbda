"""The frame around the pages: their list, the project chooser, and where a newcomer lands."""

from __future__ import annotations

import streamlit as st

from probal.ui.context import FRAME_STYLE, LOGO, PARAMETER, current_project, project_chooser
from probal.ui.sign_in import require_sign_in


def home() -> None:
    """Straight to the work: to the labels of the current project, or to making the first one."""
    project = current_project()
    if project is None:
        st.switch_page("pool.py")
    st.switch_page("label.py", query_params={PARAMETER: project.name})


st.set_page_config(page_title="ProbAL", page_icon=LOGO, layout="wide")
st.logo(LOGO, size="large")
st.html(FRAME_STYLE)
require_sign_in()
page = st.navigation(
    [
        # of its own, because the default page has no address but `/`, and the others must keep theirs
        st.Page(home, title="ProbAL", default=True, visibility="hidden"),
        st.Page("pool.py", title="Pool", icon=":material/photo_library:"),
        st.Page("label.py", title="Label", icon=":material/keyboard:"),
        st.Page("explore.py", title="Explore", icon=":material/travel_explore:"),
        st.Page("progress.py", title="Progress", icon=":material/show_chart:"),
        st.Page("engine.py", title="Engine", icon=":material/tune:"),
        st.Page("finish.py", title="Finish", icon=":material/done_all:"),
        st.Page("classes.py", title="Classes", icon=":material/category:"),
        st.Page("people.py", title="People", icon=":material/group:"),
        st.Page("export.py", title="Export", icon=":material/archive:"),
    ]
)
project_chooser()
page.run()
