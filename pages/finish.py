"""Finish: the model labels the rest, at a promised precision."""

from __future__ import annotations

import streamlit as st

from probal import finish_plan, finished, labeling
from probal.errors import UserError
from probal.ui import finish_view
from probal.ui.context import open_workspace, require_project
from probal.ui.outcome import attempt, complain

workspace = open_workspace()
project = require_project()
st.title("Finish", anchor=False)
st.write(
    "Let the model label what it is sure enough of, and keep the rest for people. How sure is enough is not its own "
    "word: it is tested on labeled images that no model has learned from."
)
record = finished.record(workspace, project)
if record is not None:
    finish_view.kept(workspace, project, record)
if not finish_view.ready(labeling.status(workspace.store, project), project):
    st.stop()
if record is not None and not st.toggle("Plan another finish in its place"):
    st.stop()
found = finish_view.current_evidence(workspace, project)
if found is None:
    st.stop()

try:
    with st.spinner("Working out what the model may label …"):
        plan = finish_view.choose_plan(workspace, project, found)
        easier = None if plan.labels else finish_view.easier_plan(workspace, project, found, plan)
except UserError as error:
    complain(error)
    st.stop()
finish_view.numbers(plan, easier)
if plan.labels:
    finish_view.review(workspace, plan)
    if st.button(f"Keep these {len(plan.labels):,} labels", type="primary", icon=":material/done_all:"):
        attempt(lambda: finish_plan.accept(workspace, project, plan))
    st.caption("They are kept apart from yours, can be taken back, and give way to what a person says later.")
finish_view.abstained(plan, project)
