"""Progress: what the labels bought so far."""

from __future__ import annotations

import streamlit as st

from probal import labeling
from probal.types import Project
from probal.ui.charts import ACCURACY, accuracy_curve, class_balance, latest_per_labels
from probal.ui.context import empty_state, open_workspace, require_project
from probal.ui.pool_view import job_line
from probal.ui.summary import headline
from probal.ui.tables import rounds_table

store = open_workspace().store


@st.fragment(run_every=2)
def live(project: Project) -> None:
    """Everything on the page, drawn anew every two seconds."""
    status = labeling.status(store, project)
    metrics = store.metrics(project.id)
    rounds = store.rounds(project.id)
    if status.job is not None:
        job_line(status.job)
    if not rounds:
        empty_state(
            "Nothing to show yet", "The images are still being read. Labels and the curve come after that."
        )
        return
    headline(status)
    points = latest_per_labels(metrics, ACCURACY)
    if points:
        st.plotly_chart(accuracy_curve(metrics), key="curve", config={"displayModeBar": False})
        st.caption(curve_note(points[-1].detail.get("source")))
        if status.audit_skipped:
            were = "was" if status.audit_skipped == 1 else "were"
            st.caption(
                f"{status.audit_skipped:,} of the randomly drawn images {were} skipped; "
                "the accuracy says nothing about such images until they are labeled."
            )
    else:
        empty_state(
            "No accuracy yet",
            "It is measured on images drawn at random, which come up while you label. The first point appears "
            f"after about {status.batch_size} labels.",
        )
    st.subheader("Labels per class", anchor=False)
    if status.labels:
        classes = store.classes(project.id)
        counts = {info.id: status.class_counts[info.name] for info in classes}
        st.plotly_chart(class_balance(classes, counts), key="balance", config={"displayModeBar": False})
    else:
        st.write("No labels yet. Give some on the Label page: one key per image.")
    st.subheader("Rounds", anchor=False)
    columns = {"Proposed": st.column_config.DatetimeColumn(format="distance")}
    st.dataframe(rounds_table(rounds, metrics), hide_index=True, column_config=columns)


def curve_note(source: object) -> str:
    """Where the accuracy comes from, in one line."""
    measured = (
        "Measured on the labeled test images that came with the project; none is trained on."
        if source == "test"
        else "Measured on images drawn at random and labeled without a suggestion; none is trained on."
    )
    return f"{measured} The band is the 95 % interval; hollow points rest on fewer than 30 images."


project = require_project()
st.title("Progress", anchor=False)
live(project)
