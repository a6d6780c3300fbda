"""The parts of the Finish page: what the model may label, a look at some of it, what is left, what was kept."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from probal import finish_plan, finished
from probal.evaluation import accuracy_interval
from probal.finish_plan import Evidence, FinishPlan, percent
from probal.finished import FinishRecord, ModelLabel
from probal.labeling import ProjectStatus
from probal.types import JobKind, JobState, Project
from probal.ui.context import empty_state
from probal.ui.figures import csv_of
from probal.ui.pool_view import wait_for
from probal.web.security import image_url
from probal.workspace import Workspace

PRECISIONS = (0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)
USUAL = 0.95
SAMPLE = 24
_DRAW = "finish_draw"


def ready(status: ProjectStatus, project: Project) -> bool:
    """Whether there is anything to test a promise on; otherwise the page says what to do."""
    if status.rounds and (status.audit_labeled or status.test_labeled):
        return True
    empty_state(
        "Not yet",
        "The model may label the rest once some of the randomly drawn images are labeled: they show how often it is "
        "right. They come up by themselves while you label.",
    )
    if st.button("Label", type="primary", icon=":material/keyboard:", disabled=not status.rounds):
        st.switch_page("label.py", query_params={"project": project.name})
    return False


def current_evidence(workspace: Workspace, project: Project) -> Evidence | None:
    """What the model says of every image; asks the worker for it where there is none, and offers to where it is "
    "old."""
    store = workspace.store
    found = Evidence.load(finish_plan.evidence_path(workspace, project))
    job = store.last_job(project.id, JobKind.FINISH)
    if job is not None and job.state in (JobState.QUEUED, JobState.RUNNING):
        wait_for(store, project, JobKind.FINISH)
        return None
    if job is not None and job.state is JobState.FAILED:
        st.error(job.error or "The worker could not look at the images.", icon=":material/error:")
    elif found is None:
        store.enqueue(project.id, JobKind.FINISH)
        st.rerun()
    if found is None or found.event_watermark != store.watermark(project.id):
        if found is not None:
            st.info("Labels came since the model last looked at the images.", icon=":material/update:")
        if st.button("Look again", type="primary", icon=":material/refresh:"):
            store.enqueue(project.id, JobKind.FINISH)
            st.rerun()
        return None
    return found


def choose_plan(workspace: Workspace, project: Project, found: Evidence) -> FinishPlan:
    """The precision, and what it allows."""
    precision = st.select_slider(
        "Of the labels that the model gives, at least this share is to be right",
        PRECISIONS,
        USUAL,
        format_func=percent,
        help=(
            "Choose what you need before you look at the numbers: the promise holds for one choice and one look, in "
            "95 of 100 cases. Trying after every batch until something is allowed makes it a little weaker."
        ),
    )
    return _planned(
        workspace, project, found, project.id, found.event_watermark, found.adapter_fingerprint, precision
    )


def easier_plan(
    workspace: Workspace, project: Project, found: Evidence, plan: FinishPlan
) -> FinishPlan | None:
    """The plan of the next lower precision on offer that allows something; None where none does."""
    for precision in reversed([each for each in PRECISIONS if each < plan.certificate.precision]):
        easier = _planned(
            workspace, project, found, project.id, found.event_watermark, found.adapter_fingerprint, precision
        )
        if easier.labels:
            return easier
    return None


def numbers(plan: FinishPlan, easier: FinishPlan | None) -> None:
    """What the plan allows, and what it rests on; `easier` is the strictest one that allows something where it does "
    "not."""
    found = plan.certificate
    total = len(plan.labels) + len(plan.abstained)
    if found.threshold is None:
        st.warning(
            f"At {percent(found.precision)} the model may label none of the {total:,} images that are left: "
            f"the {plan.audit_n} images it was tested on do not show that it is right so often.",
            icon=":material/block:",
        )
        takes = plan.what_it_takes()
        if takes:
            st.write(takes)
        if easier is not None:
            st.write(
                f"At {percent(easier.certificate.precision)} it may label {len(easier.labels):,} of them. "
                "Choose that if it is enough for you, or go on labeling: a better model may label more."
            )
        elif takes:
            st.write("Nor may it at any lower precision yet.")
        else:
            st.write("Nor may it at any lower precision here. Go on labeling: a better model may label more.")
        return
    # not the model's own account: on labels chosen for their doubt it is too cautious, at times beyond the bound
    likely = len(plan.labels) * found.audit_wrong / found.audit_kept
    cells = [
        ("The model may label", f"{len(plan.labels):,} of {total:,}", "Images that nobody has labeled."),
        ("Wrong, likely", f"{likely:.0f}", "If as many are wrong as among the tested images."),
        (
            "Wrong at most",
            f"{found.most_wrong:,}",
            f"With a probability of {found.level:.0%}, by the tested images.",
        ),
        ("Left to people", f"{len(plan.abstained):,}", "Images that the model is not sure enough about."),
    ]
    with st.container(horizontal=True, gap="medium"):
        for label, value, text in cells:
            st.metric(label, value, help=text, width="content")
    wrong = "none" if not found.audit_wrong else f"{found.audit_wrong}"
    st.caption(
        f"Tested on {found.audit_kept} labeled images that it never saw and is as sure of as of these; {wrong} "
        "of them wrong."
    )


def review(workspace: Workspace, plan: FinishPlan) -> None:
    """A random sample of what the model would label, and what to make of the errors found in it."""
    st.subheader("Look at some of them", anchor=False)
    draw = st.session_state.setdefault(_DRAW, 0)
    chosen = sample(plan.labels, draw)
    st.html(_tiles(chosen, workspace.token))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wrong = st.number_input(
            f"How many of these {len(chosen)} are wrong?",
            0,
            len(chosen),
            value=None,
            key=f"wrong {draw}",
            width=220,
        )
        if len(plan.labels) > len(chosen) and st.button("Draw others", icon=":material/casino:"):
            st.session_state[_DRAW] += 1
            st.rerun()
    if wrong is not None:
        _judge(len(chosen), int(wrong), plan.certificate.precision)


def sample(labels: Sequence[ModelLabel], draw: int) -> list[ModelLabel]:
    """At most SAMPLE of the labels, drawn at random, others for another `draw`; the least sure last."""
    rows = np.random.default_rng(draw).permutation(len(labels))[:SAMPLE]
    return [labels[i] for i in sorted(rows.tolist())]


def abstained(plan: FinishPlan, project: Project) -> None:
    """What is left to people, the surest first."""
    if not plan.abstained:
        return
    with st.expander(f"Left to people ({len(plan.abstained):,})"):
        table = pd.DataFrame(
            {
                "path": [each.path for each in plan.abstained],
                "best guess": [each.label for each in plan.abstained],
                "probability": [each.probability for each in plan.abstained],
            }
        )
        share = st.column_config.NumberColumn("Probability", format="percent")
        columns: dict[str, Any] = {"path": "File", "best guess": "Best guess", "probability": share}
        st.dataframe(table, hide_index=True, width="stretch", column_config=columns)
        with st.container(horizontal=True):
            st.download_button(
                "This list (CSV)",
                csv_of(table),
                f"{project.name}-left.csv",
                "text/csv",
                on_click="ignore",
                icon=":material/download:",
            )
            if st.button("Label them", icon=":material/keyboard:"):
                st.switch_page("label.py", query_params={"project": project.name})


def kept(workspace: Workspace, project: Project, record: FinishRecord) -> None:
    """An accepted finish: what it is, its file, and the way back."""
    when = datetime.fromisoformat(record.accepted_at)
    labels = finished.accepted(workspace, project)
    st.success(
        f"The model labeled {record.labels:,} images on {when:%d %B %Y}: at least "
        f"{percent(record.precision)} of them are right, with a confidence of {record.level:.0%}. They stand beside "
        "your labels, and no model is ever fitted on them.",
        icon=":material/done_all:",
    )
    if len(labels) < record.labels:
        st.caption(
            f"{record.labels - len(labels):,} of them were labeled by people since; those labels count."
        )
    with st.container(horizontal=True):
        st.download_button(
            "All labels (CSV)",
            lambda: _all_labels(workspace, project, labels),
            f"{project.name}-labels.csv",
            "text/csv",
            help="Yours and the model's, told apart by the column source.",
            on_click="ignore",
            icon=":material/download:",
        )
        with st.popover("Take back", icon=":material/undo:"):
            st.write(f"The {record.labels:,} labels of the model are dropped. Yours stay as they are.")
            if st.button("Take the model's labels back"):
                finished.discard(workspace, project)
                st.rerun()


@st.cache_resource(max_entries=8, show_spinner=False)
def _planned(
    _workspace: Workspace,
    _project: Project,
    _found: Evidence,
    project_id: int,
    watermark: int,
    model: str,
    precision: float,
) -> FinishPlan:
    """The plan, kept by what it depends on."""
    return finish_plan.plan(_workspace, _project, _found, precision)


def _judge(n: int, wrong: int, precision: float) -> None:
    low, high = accuracy_interval(n - wrong, n)
    seen = f"{n - wrong} of {n} are right, which speaks for {low:.0%} to {high:.0%} of all of them."
    if high < precision:
        st.error(
            f"{seen} That is less than was promised: do not keep these labels. Are the labels of the randomly drawn "
            "images right, and do the new images look like the old ones?",
            icon=":material/error:",
        )
    else:
        st.write(f"{seen} That goes with the promise.")


def _tiles(labels: Sequence[ModelLabel], token: str) -> str:
    tiles = [
        f'<figure><img src="{image_url(token, each.content_hash, 320)}" title="{html.escape(each.path)}" '
        f'alt="{html.escape(each.path)}" loading="lazy"><figcaption><b>{html.escape(each.label)}</b>: '
        f"{each.probability:.0%}</figcaption></figure>"
        for each in labels
    ]
    return (
        "<style>.pal-sample{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:10px}"
        ".pal-sample figure{margin:0}.pal-sample img{width:100%;aspect-ratio:1;object-fit:cover;border-radius:8px;"
        "background:#8882;border:1px solid #8884}"
        ".pal-sample figcaption{font-size:.85rem;line-height:1.3;overflow-wrap:anywhere}"
        f"</style><div class='pal-sample'>{''.join(tiles)}</div>"
    )


def _all_labels(workspace: Workspace, project: Project, labels: Sequence[ModelLabel]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="probal-finish-") as scratch:
        finished.write(workspace, project, labels, [], Path(scratch))
        return (Path(scratch) / finished.LABELS).read_bytes()
