"""What Explore's views share: the catalog, the worker's jobs, the last thing done and the way back."""

from __future__ import annotations

import streamlit as st

from probal.errors import UserError
from probal.explore import Catalog, catalog_key, load_catalog
from probal.explore.actions import BulkLabel, bulk_label, undo
from probal.types import JobKind, JobState, Project
from probal.ui.context import annotator, call_me, open_workspace, signed_in
from probal.ui.explore_tiles import clear
from probal.ui.pool_view import QUEUED, STEPS
from probal.workspace import Workspace

_NAME = "explore-annotator"
_DONE = "explore-done"
_OPEN = (JobState.QUEUED, JobState.RUNNING)


@st.cache_resource(max_entries=4, show_spinner="Looking through the pool …")
def _load(key: tuple[object, ...], _workspace: Workspace, _project: Project) -> Catalog:
    return load_catalog(_workspace, _project)


def catalog_of(project: Project) -> Catalog:
    """The project's catalog, loaded anew only when something in it has changed."""
    workspace = open_workspace()
    return _load(catalog_key(workspace, project), workspace, project)


def name_field() -> None:
    """Where someone who has not signed in says who labels."""
    if signed_in() is not None:
        return
    st.session_state.setdefault(_NAME, annotator())

    def typed() -> None:
        call_me(st.session_state[_NAME])

    st.text_input("Your name", key=_NAME, on_change=typed, help="Labels given here carry it.")


def ask_button(project: Project, kind: JobKind, label: str, primary: bool = True) -> None:
    """A button that asks the worker for a job, and a line on how far it is while it works."""
    if pending(project, kind):
        wait_for(project, kind)
    elif st.button(label, type="primary" if primary else "secondary", key=f"ask-{kind}-{label}"):
        open_workspace().store.enqueue(project.id, kind)
        st.rerun()
    else:
        problem(project, kind)


def pending(project: Project, kind: JobKind) -> bool:
    """Whether the worker has such a job before it."""
    job = open_workspace().store.last_job(project.id, kind)
    return job is not None and job.state in _OPEN


def problem(project: Project, kind: JobKind) -> None:
    """Why the last such job failed, if it did."""
    job = open_workspace().store.last_job(project.id, kind)
    if job is not None and job.state is JobState.FAILED:
        st.error(job.error or "the worker could not finish", icon=":material/error:")


@st.fragment(run_every=1)
def wait_for(project: Project, kind: JobKind) -> None:
    """A progress bar that follows the job, and draws the page anew when it has ended."""
    job = open_workspace().store.last_job(project.id, kind)
    if job is None or job.state not in _OPEN:
        st.rerun()
    what = job.message or f"{STEPS[kind]}: {QUEUED}"
    share = min(1.0, job.done / job.total) if job.total else 0.0
    st.progress(share, text=f"{what}: {job.done:,} of {job.total:,}" if job.total > 3 else f"{what} …")


def label_images(project: Project, image_ids: list[int], class_id: int, relabel: bool, key: str) -> None:
    """Label many images, and keep in mind what was done so that it can be taken back. A button's callback."""
    store = open_workspace().store
    name = {each.id: each.name for each in store.classes(project.id)}[class_id]
    try:
        done = bulk_label(store, project, image_ids, class_id, annotator(), relabel)
    except UserError as error:
        remember(project, str(error), (), good=False)
        return
    remember(project, _told(done, name), done.event_ids, good=not done.rejected)
    clear(key)


def remember(project: Project, text: str, event_ids: tuple[str, ...], good: bool = True) -> None:
    """Keep what was done for the line above the images."""
    st.session_state[_DONE] = (project.id, text, event_ids, good, annotator())


def last_done(project: Project) -> None:
    """The line that says what was done last, with a way back where there is one."""
    project_id, text, event_ids, good, by = st.session_state.get(_DONE, (None, "", (), True, ""))
    if project_id != project.id or not text:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if good:
            st.success(text, icon=":material/check:")
        else:
            st.warning(text, icon=":material/warning:")
        if event_ids and st.button("Undo", icon=":material/undo:", key="explore-undo"):
            n = undo(open_workspace().store, project, event_ids, by)
            st.session_state[_DONE] = (project.id, f"Took back {n:,} labels.", (), True, by)
            st.rerun()


def _told(done: BulkLabel, name: str) -> str:
    n = len(done.event_ids)
    parts = [f"Labeled {n:,} {'image' if n == 1 else 'images'} as {name}."]
    if done.left_alone - len(done.rejected) > 0:
        parts.append(f"{done.left_alone:,} kept the label they had.")
    return " ".join([*parts, *done.rejected])
