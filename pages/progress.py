"""Progress: what the labels bought so far, and whether more are worth it."""

from __future__ import annotations

import streamlit as st

from probal import advice, labeling
from probal.types import Project
from probal.ui import progress_view
from probal.ui.context import empty_state, open_workspace, require_project
from probal.ui.figures import choose_picture_format
from probal.ui.pool_view import job_line
from probal.ui.summary import headline
from probal.ui.tables import rounds_table

store = open_workspace().store
SEEN = "progress_seen"  # what the figures on the page were drawn from


def state(project: Project) -> tuple[object, ...]:
    """Changes when the worker has measured something."""
    latest = store.latest_round(project.id)
    return (project.id, None if latest is None else (latest.index, sorted(latest.timings)))


@st.fragment(run_every=2)
def head(project: Project) -> None:
    """The part that follows the labeling; the figures are drawn anew when there is something new in them."""
    status = labeling.status(store, project)
    if status.job is not None:
        job_line(status.job)
    if status.rounds:
        headline(status)
    if st.session_state.get(SEEN) != state(project):
        st.session_state[SEEN] = state(project)
        st.rerun()


project = require_project()
st.title("Progress", anchor=False)
st.session_state[SEEN] = state(project)
head(project)
rounds = store.rounds(project.id)
if not rounds:
    empty_state(
        "Nothing to show yet", "The images are still being read. Labels and the curve come after that."
    )
    st.stop()

status = labeling.status(store, project)
metrics = store.metrics(project.id)
advised = advice.stopping(store, project)
progress_view.advice(advised, advice.drift(store, project), project)
tabs = st.tabs(["Accuracy", "Classes", "Calibration", "Uncertainty", "Pace", "Rounds"])
with tabs[0]:
    progress_view.curve(store, project, metrics, advised, status)
with tabs[1]:
    classes = store.classes(project.id)
    counts = {info.id: status.class_counts[info.name] for info in classes}
    progress_view.classes(project, classes, counts, metrics)
with tabs[2]:
    progress_view.calibration(project, metrics)
with tabs[3]:
    progress_view.uncertainty(project, metrics)
with tabs[4]:
    progress_view.pace(store, project)
with tabs[5]:
    columns = {"Proposed": st.column_config.DatetimeColumn(format="distance")}
    if status.decision is not None:
        st.write(f"How the latest images were chosen: {status.decision}")
    st.dataframe(rounds_table(rounds, metrics), hide_index=True, column_config=columns)
if status.labels or metrics:
    choose_picture_format()
