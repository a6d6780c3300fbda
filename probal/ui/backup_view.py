"""A whole project as one file, to keep or to carry to another machine, and back."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import streamlit as st

from probal import validate
from probal.backup import BackupReport, RestoreReport, backup, restore
from probal.errors import UserError
from probal.types import Project
from probal.ui.context import choose, open_workspace
from probal.ui.export_view import progress_bar
from probal.ui.new_project import escape
from probal.workspace import Workspace

SUFFIX = "probal.zip"


def backup_form(workspace: Workspace, project: Project) -> None:
    """Writes a backup among the exports, and hands it over."""
    st.subheader("Backup", anchor=False)
    st.caption(
        "Labels, rounds, models and settings in one file, without the images. It comes back on the Pool page, under "
        "New project, here or on another machine."
    )
    vectors = st.checkbox(
        "With the image vectors",
        value=True,
        help="Without them the file is small, and they are computed again.",
    )
    key = f"backup of {project.id}"
    if st.button("Back up", icon=":material/save:"):
        file = workspace.exports_dir / f"{project.name}-{datetime.now():%Y-%m-%d-%H%M%S}.{SUFFIX}"
        try:
            with st.spinner("Writing …"):
                file.parent.mkdir(parents=True, exist_ok=True)
                report = backup(workspace, project, file, vectors)
        except UserError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
        st.session_state[key] = (str(file), _written(report))
    if key in st.session_state:
        path, told = st.session_state[key]
        st.success(f"{told} in `{path}`", icon=":material/check:")
        st.download_button(
            "Download the backup",
            Path(path).read_bytes,
            Path(path).name,
            "application/zip",
            on_click="ignore",
            icon=":material/download:",
        )


def _written(report: BackupReport) -> str:
    vectors = f"vectors of {report.vectors:,} images" if report.vectors else "no vectors"
    return f"{report.labels:,} labels, {vectors}, {report.bytes / 1e6:.1f} MB"


def restore_form() -> None:
    """A project from its backup; nothing that is there is overwritten."""
    with st.expander(
        "From a backup", icon=":material/settings_backup_restore:", key="restore_form", on_change="rerun"
    ):
        given = st.file_uploader("File that Back up or probal backup wrote", ["zip"])
        where = st.text_input(
            "Or its path on the machine ProbAL runs on", placeholder=f"/data/pets.{SUFFIX}", max_chars=1000
        )
        images = st.text_input(
            "Folder of the images here", placeholder="where they lay at the backup", max_chars=1000
        )
        name = st.text_input("Name of the project here", placeholder="the one it had", max_chars=64)
        if not st.button(
            "Restore", icon=":material/settings_backup_restore:", disabled=given is None and not where.strip()
        ):
            return
        try:
            with (
                tempfile.TemporaryDirectory(prefix="probal-restore-") as scratch,
                progress_bar("Restoring") as progress,
            ):
                file = Path(where.strip())
                if given is not None:
                    file = Path(scratch) / "backup.zip"
                    file.write_bytes(given.getbuffer())
                report = restore(
                    open_workspace(),
                    file,
                    validate.project_name(name) if name.strip() else None,
                    Path(images.strip()) if images.strip() else None,
                    lambda done, total, _: progress(done, total),
                )
        except UserError as error:
            text = str(error)
            st.error(escape(text[:1].upper() + text[1:]), icon=":material/error:")
            return
        _welcome(report)


def _welcome(report: RestoreReport) -> None:
    choose(report.project.name)
    st.session_state.pop("adding", None)
    lost = report.images - report.found
    missing = (
        f" {lost:,} of its images were not found, and are kept with their labels as missing." if lost else ""
    )
    st.session_state["pool-said"] = f"The project {escape(report.project.name)} is back.{missing}"
    st.rerun()
