"""What the Export page shows: which labels leave, in which formats, the download, the exports so far."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import streamlit as st

from probal.export import DESCRIPTIONS, ExportRow
from probal.export.filters import GIVEN, Filter
from probal.store import Store
from probal.types import ExportRecord, JobKind, JobState, Project
from probal.web.downloads import zip_folder

SHOWN = 8
NEED_IMAGES = ("imagefolder", "imagefolder-zip", "imagefolder-link", "hf", "fiftyone")
"""Formats that a project of vectors cannot have."""
REFRESH_SECONDS = 1.5
MODEL = "adapter"
"""The format that tells an export of the model."""


def choose_labels(rows: Sequence[ExportRow]) -> tuple[Filter, int | None]:
    """Which labels leave; and how many per class in a curated set, None for all."""
    rounds = sorted({row.round for row in rows if row.round is not None})
    people = sorted({row.annotator for row in rows})
    given = [kind for kind in GIVEN if any(row.given == kind for row in rows)]
    with st.expander("Choose which labels", icon=":material/filter_alt:"):
        wanted_rounds = st.multiselect(
            "Only rounds",
            rounds,
            format_func=lambda index: f"Round {index + 1}",
            placeholder="All rounds, and images that no round proposed",
        )
        wanted_people = (
            st.multiselect("Only labels by", people, placeholder="Everyone") if len(people) > 1 else []
        )
        wanted_given = (
            st.multiselect(
                "Only where", given, format_func=lambda kind: GIVEN[kind], placeholder="However it was given"
            )
            if len(given) > 1
            else []
        )
        agreement = 0.0
        if any(row.annotators > 1 for row in rows):
            agreement = (
                st.slider(
                    "Agreement, at least (%)",
                    0,
                    100,
                    0,
                    5,
                    help="Share of an image's annotators that gave its label.",
                )
                / 100
            )
        audit = True
        if any(row.role == "audit" for row in rows):
            audit = st.checkbox("With the images that measure the accuracy", value=True)
        per_class = None
        if st.checkbox(
            "Only a small set that stands for the rest",
            help="For each class the most typical image first, then those that cover what is not covered yet. "
            "Images that measure the accuracy are never in it.",
        ):
            per_class = int(st.number_input("Images per class", 1, 1000, 16))
    wanted = Filter(tuple(wanted_rounds), tuple(wanted_people), tuple(wanted_given), agreement, audit)
    return wanted, per_class


def choose_formats(has_images: bool) -> list[str]:
    """Formats by name, each chosen one explained in a sentence."""
    known = [name for name in DESCRIPTIONS if has_images or name not in NEED_IMAGES]
    chosen = st.pills(
        "Formats",
        known,
        format_func=lambda name: DESCRIPTIONS[name][0],
        selection_mode="multi",
        default=["csv"],
    )
    for name in chosen:
        title, sentence = DESCRIPTIONS[name]
        st.caption(f"**{title}**: {sentence}")
    return list(chosen)


def preview(rows: Sequence[ExportRow], total: int) -> None:
    """Counts per class and the first rows, and what the roles mean."""
    counts = Counter(row.label for row in rows)
    held_out = sum(row.role == "audit" for row in rows)
    st.write(f"**{len(rows):,} labeled images**" + ("" if len(rows) == total else f" of {total:,}"))
    # as text, not Markdown: a class may be named *.jpg
    st.text(" · ".join(f"{name}: {n:,}" for name, n in counts.most_common()))
    if held_out:
        st.caption(
            f"{held_out:,} of them measure the accuracy and carry the role `audit`: a model that is trained on "
            "them can no longer be measured with them. Flagged and skipped images are not in the export."
        )
    else:
        st.caption(
            "Flagged and skipped images are not in the export; nor are test images, which came with labels."
        )
    table = pd.DataFrame(
        [
            {"File": row.path, "Label": row.label, "Role": row.role, "Labeled by": row.annotator}
            for row in rows[:SHOWN]
        ]
    )
    st.dataframe(table, hide_index=True, width="stretch")
    if len(rows) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(rows):,} rows.")


def model_files(store: Store, project: Project) -> None:
    """Asks the worker for the model's files, and hands over the newest ones."""
    st.subheader("The model", anchor=False)
    st.caption(
        "Weights with a description and a short script that predicts without ProbAL, the same as an ONNX file for "
        "any runtime, and a table of calibrated probabilities for every image."
    )
    job = store.last_job(project.id, JobKind.MODEL)
    working = job is not None and job.state in (JobState.QUEUED, JobState.RUNNING)
    if st.button("Write the model's files", icon=":material/model_training:", disabled=working):
        store.enqueue(project.id, JobKind.MODEL)
        st.rerun()
    if working:
        _wait_for_model(store, project)
    elif job is not None and job.state is JobState.FAILED:
        st.error(job.error or "The worker could not write the files.", icon=":material/error:")
    written = next((one for one in store.exports(project.id) if MODEL in one.formats), None)
    if written is not None and Path(written.path).is_dir():
        st.text(f"Written to {written.path}")
        offer_download(Path(written.path), "Download the model")


@st.fragment(run_every=REFRESH_SECONDS)
def _wait_for_model(store: Store, project: Project) -> None:
    job = store.last_job(project.id, JobKind.MODEL)
    if job is not None and job.state in (JobState.QUEUED, JobState.RUNNING):
        st.info("The worker writes the files; this takes some seconds.", icon=":material/hourglass_top:")
    else:
        st.rerun()


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that is there while something is written; its function takes images done and in all."""
    bar = st.progress(0.0, text=f"{what} …")
    drawn = -1

    def progress(done: int, total: int) -> None:
        nonlocal drawn
        percent = 100 * done // max(total, 1)
        if percent != drawn:  # each drawing is a message to the browser
            drawn = percent
            bar.progress(percent, text=f"{what}: {done:,} of {total:,}")

    try:
        yield progress
    finally:
        bar.empty()


def offer_download(folder: Path, text: str = "Download as zip") -> None:
    """A button that hands over the folder as a zip, packed when it is pressed."""

    def pack() -> bytes:
        with tempfile.TemporaryDirectory(prefix="probal-zip-") as scratch:
            return zip_folder(folder, Path(scratch) / "export.zip").read_bytes()

    st.download_button(
        text,
        pack,
        f"{folder.name}.zip",
        "application/zip",
        on_click="ignore",
        icon=":material/download:",
    )


def past_exports(exports: Sequence[ExportRecord]) -> None:
    """Where earlier exports lie."""
    if not exports:
        return
    with st.expander(f"Exports so far ({len(exports)})"):
        table = pd.DataFrame(
            [
                {
                    "When": one.created_at,
                    "Labels": one.n,
                    "Formats": ", ".join(one.formats),
                    "Folder": one.path,
                }
                for one in exports
            ]
        )
        columns = {"When": st.column_config.DatetimeColumn(format="distance")}
        st.dataframe(table, hide_index=True, width="stretch", column_config=columns)
