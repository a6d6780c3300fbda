"""What the Pool page shows of a project: how far the reading is, what was found, what could not be read."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from probal.labeling import JobStatus, ProjectStatus
from probal.store import Store
from probal.types import ImageInfo, ImageState, JobKind, JobState, Project
from probal.ui.context import open_workspace
from probal.web.security import image_url

GALLERY = 16
STEPS = {
    "prepare": "Getting the images ready",
    "refit": "Learning from your labels",
    "model": "Writing the model's files",
    "finish": "Looking at every image",
    "probvlm": "Training ProbVLM",
    "posterior": "Computing the posterior",
    "map": "Drawing the map",
    "check": "Checking the labels",
    "answer": "Looking it up",
}
QUEUED = "waiting for the worker, which can take some seconds to start"
REFRESH_SECONDS = 1.5


def job_line(job: JobStatus) -> None:
    """The running job as a progress bar, or why the last one failed."""
    if job.state == "failed":
        st.error(f"{job.error}", icon=":material/error:")
        return
    what = job.message or STEPS.get(job.kind, job.kind)
    if job.state == "queued":
        st.progress(0.0, text=f"{STEPS.get(job.kind, job.kind)}: {QUEUED}")
    elif job.total:
        st.progress(min(1.0, job.done / job.total), text=f"{what}: {job.done} of {job.total}")
    else:
        st.progress(0.0, text=f"{what} …")


@st.fragment(run_every=REFRESH_SECONDS)
def wait_for(store: Store, project: Project, kind: JobKind) -> None:
    """How far the project's job of this kind is; the page is drawn anew when it has ended."""
    job = store.last_job(project.id, kind)
    if job is None or job.state not in (JobState.QUEUED, JobState.RUNNING):
        st.rerun()
    else:
        job_line(JobStatus(str(kind), str(job.state), job.done, job.total, job.message, job.error))


def numbers(status: ProjectStatus) -> None:
    """The counts that tell whether the pool is what the user meant."""
    cells = [
        ("Images", status.images["ok"], "Readable and different from each other."),
        ("Labeled", status.labels, "Images that have a label now."),
        ("Set aside", status.audit_total, "Drawn at random to measure the accuracy; never trained on."),
        ("Unreadable", status.images["corrupt"], "Kept in the list below, with the reason."),
        ("Duplicates", status.images["duplicate"], "Same bytes as another image; labeled once."),
    ]
    if not status.audit_total and status.test_labeled:
        cells[2] = ("Test images", status.test_labeled, "Came with labels; they measure the accuracy.")
    if status.images["missing"]:
        cells.append(("Missing", status.images["missing"], "No longer in the folder; labels are kept."))
    with st.container(horizontal=True, gap="medium"):
        for label, value, text in cells:
            st.metric(label, f"{value:,}", help=text, width="content")


def gallery(project: Project, images: Sequence[ImageInfo]) -> None:
    """A few images from across the pool."""
    some = sorted(images, key=lambda image: image.content_hash)[:GALLERY]  # as good as drawn at random
    token = open_workspace().token
    tiles = [
        f'<img src="{image_url(token, image.content_hash, 320)}" title="{html.escape(image.path)}" alt="" '
        f'style="{"image-rendering:pixelated" if max(image.width, image.height) <= 64 else ""}" loading="lazy">'
        for image in some
    ]
    st.html(
        "<style>.pal-gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(104px,1fr));gap:8px}"
        ".pal-gallery img{width:100%;aspect-ratio:1;object-fit:cover;border-radius:8px;background:#8882;"
        "border:1px solid #8884}"
        f"</style><div class='pal-gallery'>{''.join(tiles)}</div>"
    )


def problem_files(images: Sequence[ImageInfo]) -> None:
    """Files that are not in the pool, and why."""
    titles = {
        ImageState.CORRUPT: "Files that cannot be read",
        ImageState.DUPLICATE: "Duplicates",
        ImageState.MISSING: "No longer in the folder",
    }
    for state, title in titles.items():
        found = [image for image in images if image.state is state]
        if found:
            rows = pd.DataFrame(
                {"File": [image.path for image in found], "Why": [image.reason for image in found]}
            )
            with st.expander(f"{title} ({len(found):,})"):
                st.dataframe(rows, hide_index=True, width="stretch")
