"""The few numbers at the head of the Progress page."""

from __future__ import annotations

import streamlit as st

from probal.evaluation import PRELIMINARY_BELOW
from probal.labeling import ProjectStatus


def headline(status: ProjectStatus) -> None:
    """Labels, accuracy with its interval (preliminary on few images), and how far the running batch is."""
    measured = status.metrics.get("accuracy")
    name, value, note = "Accuracy", "–", "Not measured yet."
    if measured is not None:
        value, note = f"{measured.value:.1%}", f"Measured on {measured.n} images."
        if measured.low is not None and measured.high is not None:
            value += f"  ({measured.low:.0%} to {measured.high:.0%})"
            note += " In brackets the 95% interval."
        if measured.preliminary:
            name = "Accuracy, preliminary"
            note += f" Fewer than {PRELIMINARY_BELOW} tell it only roughly: the number may still jump."
    with st.container(horizontal=True, gap="medium"):
        st.metric("Labels", f"{status.labels:,}", width="content")
        st.metric(name, value, help=note, width="content")
        st.metric(
            "Until the next update",
            f"{min(status.batch_done, status.batch_size)} of {status.batch_size}",
            help="Labels after which the model learns anew and proposes the next images.",
            width="content",
        )
