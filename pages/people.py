"""People: who labels, how fast, how far they agree, and deciding where they do not."""

from __future__ import annotations

import streamlit as st

from probal import people
from probal.ui.context import empty_state, open_workspace, require_project
from probal.ui.people_view import agreement, decide, overlap_form, people_table

store = open_workspace().store
project = require_project()
st.title("People", anchor=False)
if said := st.session_state.pop("people-said", None):
    st.success(said, icon=":material/check:")
found = people.report(store, project)
if not found.people:
    empty_state(
        "Nobody has labeled yet", "Everybody who labels appears here, under the name on the Label page."
    )
    if st.button("Label", type="primary", icon=":material/keyboard:"):
        st.switch_page("label.py", query_params={"project": project.name})
    overlap_form(store, project)
    st.stop()
people_table(found)
if len(found.people) == 1:
    st.write(
        "You are alone here so far. Ask somebody else to open this address and label under their own name, or have "
        "some of your own images come back to you, to see how sure you are."
    )
overlap_form(store, project)
classes = store.classes(project.id, archived=True)
if len(found.people) > 1:
    agreement(found, {each.id: each.name for each in classes})
    decide(store, project, found.disputes, classes)
