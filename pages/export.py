"""Export: the labels as files."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from probal import support_set
from probal.errors import UserError
from probal.ui.backup_view import backup_form
from probal.ui.context import empty_state, open_workspace, require_project
from probal.ui.export_view import (
    choose_formats,
    choose_labels,
    model_files,
    offer_download,
    past_exports,
    preview,
    progress_bar,
)

workspace = open_workspace()
project = require_project()
st.title("Export", anchor=False)

rows = support_set.label_rows(workspace.store, project)
if not rows:
    empty_state("No labels yet", "Label some images first; they can leave from here at any time.")
    if st.button("Label", type="primary", icon=":material/keyboard:"):
        st.switch_page("label.py", query_params={"project": project.name})
    backup_form(workspace, project)
    st.stop()

problem = None
try:
    wanted, per_class = choose_labels(rows)
    leaving = support_set.chosen_rows(workspace, project, wanted, per_class)
except UserError as error:
    leaving, problem = [], str(error)
if problem is None:
    preview(leaving, len(rows))
else:
    st.warning(problem, icon=":material/filter_alt_off:")

chosen = choose_formats(project.config.image_root is not None)
if st.button("Export", type="primary", icon=":material/archive:", disabled=not chosen or problem is not None):
    folder = workspace.exports_dir / f"{project.name}-{datetime.now():%Y-%m-%d-%H%M%S}"
    try:
        with progress_bar("Writing") as progress:
            report = support_set.export(workspace.store, project, chosen, folder, progress, leaving)
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    else:
        st.success(f"Wrote {report} to `{folder}`", icon=":material/check:")
        for path, reason in report.skipped:
            st.warning(f"`{path}` was left out: {reason}")
        offer_download(folder)
model_files(workspace.store, project)
backup_form(workspace, project)
past_exports(workspace.store.exports(project.id))
