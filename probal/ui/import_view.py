"""Bringing in labels that were made elsewhere: what fits is shown first, and nothing is stored before that."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from probal import imports
from probal.errors import UserError
from probal.imports import ImportPlan
from probal.store import Store
from probal.types import Event, Project
from probal.ui.new_project import escape
from probal.ui.outcome import attempt, complain

FILES = ["csv", "tsv", "txt", "json", "jsonl", "parquet", "zip"]
SAID = "import-said"


def import_form(store: Store, project: Project) -> None:
    """A file or folder of labels, what of it fits, and storing it or taking it back."""
    if said := st.session_state.pop(SAID, None):
        st.success(said, icon=":material/check:")
    # with a state of its own: the line above would shut it otherwise
    with st.expander(
        "Labels you have already", icon=":material/upload_file:", key="import_form", on_change="rerun"
    ):
        st.write(
            "From anything that labels leave ProbAL in, and from Label Studio, FiftyOne, Hugging Face datasets or a "
            "folder per class. An image is found by its content where the file has it, else by its path."
        )
        given = st.file_uploader("File of labels", FILES, key=f"import {project.id}")
        where = st.text_input(
            "Or a file or folder on the machine ProbAL runs on",
            placeholder="/data/labels",
            max_chars=1000,
            key=f"import from {project.id}",
        )
        whose = st.text_input(
            "Whose labels", placeholder="whom the file names", max_chars=100, key=f"import as {project.id}"
        )
        if given is None and not where.strip():
            return
        try:
            with _at_hand(given, where) as source, st.spinner("Reading …"):
                plan = imports.plan(store, project, source, whose.strip() or None)
        except UserError as error:
            complain(error)
            return
        _what_fits(plan)
        _buttons(store, project, plan)


@contextmanager
def _at_hand(given: UploadedFile | None, where: str) -> Iterator[Path]:
    """The source as a path: an upload only while it is read, under its own name, whose ending tells the format."""
    if given is None:
        yield Path(where.strip())
        return
    with tempfile.TemporaryDirectory(prefix="probal-import-") as scratch:
        path = Path(scratch) / Path(given.name).name
        path.write_bytes(given.getbuffer())
        try:
            yield path
        except UserError as error:  # where an upload lay is nothing to the user
            raise UserError(str(error).replace(f"{scratch}{os.sep}", "the file ")) from None


def _what_fits(plan: ImportPlan) -> None:
    file, found = plan.file, plan.found
    people = ", ".join(f"{who} ({n:,})" for who, n in plan.people.most_common(5))
    st.write(
        f"**{len(file.rows):,} labels** ({escape(file.format)}), of **{len(found.labels):,} images** of this "
        f"project. By {escape(people) or 'nobody'}."
    )
    if file.unlabeled:
        st.caption(f"{file.unlabeled:,} images in it have no label.")
    if complaint := found.complaint():
        st.warning(
            f"These would be left out: {escape(complaint)}. A class that is missing can be added on the page "
            "Classes first.",
            icon=":material/rule:",
        )


def _buttons(store: Store, project: Project, plan: ImportPlan) -> None:
    with st.container(horizontal=True):
        if plan.new and st.button(f"Store {len(plan.new):,} labels", type="primary", icon=":material/check:"):
            _carry_out(
                store, project, plan.new, f"Stored {len(plan.new):,} labels; the model learns from them now."
            )
        if plan.undo and st.button(f"Take {len(plan.undo):,} labels back", icon=":material/undo:"):
            _carry_out(store, project, plan.undo, f"Took {len(plan.undo):,} labels back.")
    if plan.undo and not plan.new:
        st.caption("All that fits is stored already.")


def _carry_out(store: Store, project: Project, events: Sequence[Event], done: str) -> None:
    attempt(lambda: imports.carry_out(store, project, events), SAID, done)
