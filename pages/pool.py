"""Pool: make a project, watch its images being read, see what was found."""

from __future__ import annotations

import streamlit as st

from probal import labeling
from probal.types import ImageState, JobKind, Project
from probal.ui.backup_view import restore_form
from probal.ui.context import current_project, open_workspace
from probal.ui.first_guesses import start_sentence
from probal.ui.import_view import import_form
from probal.ui.new_project import new_project_form
from probal.ui.pool_view import gallery, job_line, numbers, problem_files

store = open_workspace().store


def waiting(project: Project) -> bool:
    """Whether a job is on its way that will change what this page shows."""
    job = labeling.status(store, project).job
    return job is not None and job.state != "failed"


def watch(project: Project) -> None:
    """The part that follows the worker; once that is done, the whole page is drawn anew."""
    status = labeling.status(store, project)
    if status.job is not None:
        job_line(status.job)
    elif st.session_state.pop("watching", False):
        st.rerun()
    if sum(status.images.values()):
        numbers(status)


project = current_project()
if project is None or st.session_state.get("adding"):
    st.title("New project", anchor=False)
    st.write("A folder of images and a list of class names are all it takes.")
    new_project_form()
    restore_form()
    if project is not None and st.button("Back to the project", type="tertiary"):
        st.session_state.pop("adding")
        st.rerun()
    st.stop()

st.title(project.name, anchor=False)
if said := st.session_state.pop("pool-said", None):
    st.success(said, icon=":material/check:")
place = (
    f"Images in `{project.config.image_root}`" if project.config.image_root else "Vectors without pictures"
)
st.caption(f"{place} · classes: {len(store.classes(project.id))}")
busy = waiting(project)
st.session_state["watching"] = busy
st.fragment(watch, run_every=1 if busy else None)(project)

if sentence := start_sentence(store.metrics(project.id), len(store.classes(project.id))):
    st.info(sentence, icon=":material/school:")

with st.container(horizontal=True):
    if st.button(
        "Label", type="primary", icon=":material/keyboard:", disabled=not store.latest_round(project.id)
    ):
        st.switch_page("label.py", query_params={"project": project.name})
    if st.button(
        "Scan again", icon=":material/refresh:", disabled=busy, help="Picks up new and changed files."
    ):
        store.enqueue(project.id, JobKind.PREPARE)
        st.rerun()
    if st.button("New project", icon=":material/add:"):
        st.session_state["adding"] = True
        st.rerun()

images = store.images(project.id)
if images:
    import_form(store, project)
readable = [image for image in images if image.state is ImageState.OK]
if readable:
    gallery(project, readable)
problem_files(images)
