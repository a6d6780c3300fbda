"""Engine: what chooses the images, and what learns from the labels."""

from __future__ import annotations

import streamlit as st

from probal import labeling
from probal.types import JobKind, JobState
from probal.ui import engine_view, probvlm_view
from probal.ui.context import open_workspace, require_project
from probal.ui.pool_view import wait_for

store = open_workspace().store
project = require_project()
st.title("Engine", anchor=False)
st.write(
    "The defaults are what measured best. Change them when you have a reason; labels are never lost by it."
)

refit = store.last_job(project.id, JobKind.REFIT)
if refit is not None and refit.state in (JobState.QUEUED, JobState.RUNNING):
    wait_for(store, project, JobKind.REFIT)
elif refit is not None and refit.state is JobState.FAILED:
    st.error(refit.error or "The last update failed.", icon=":material/error:")
engine_view.choices(store, project)
st.subheader("Encoder", anchor=False)
engine_view.encoder(project)
st.subheader("Aim at other images", anchor=False)
engine_view.target(store, project)
st.subheader("Ambiguous images: ProbVLM", anchor=False)
probvlm_view.probvlm(store, project, labeling.status(store, project).pool_labeled)
st.subheader("Uncertainty of the encoder: BayesVLM", anchor=False)
engine_view.posterior(store, project)
