"""Classes: add, rename, merge, split, put away; what a prompt changes is shown before it is kept."""

from __future__ import annotations

import streamlit as st

from probal.classes import ClassEditor
from probal.ui.classes_view import (
    add_form,
    archived_classes,
    class_table,
    edit_class,
    label_counts,
    record_of_changes,
    split_class,
)
from probal.ui.context import open_workspace, require_project
from probal.ui.prompt_view import read_text, try_prompt, try_template

store = open_workspace().store
project = require_project()
editor = ClassEditor(store, project)
st.title("Classes", anchor=False)
st.write(
    "Classes may change at any time. No label is lost by it: each keeps the class it was given, every change is on "
    "record, and the last one can be taken back."
)
if said := st.session_state.pop("classes-said", None):
    st.success(said, icon=":material/check:")

everything = store.classes(project.id, archived=True)
known = [each for each in everything if not each.archived]
counts = label_counts(editor)
class_table(everything, counts, read_text(project))
add_form(editor)

st.subheader("Change a class", anchor=False)
by_id = {each.id: each for each in known}
chosen = st.selectbox("Class", [*by_id], format_func=lambda class_id: by_id[class_id].name)
each = by_id[chosen]
change, prompt, split = st.tabs(["Name, key, merge", "What the model reads", "Split"])
with change:
    edit_class(editor, each, known, counts[each.id])
with prompt:
    try_prompt(editor, each, known)
with split:
    split_class(editor, each, known, counts[each.id])

try_template(editor, known)

gone = [each for each in everything if each.archived]
if gone:
    archived_classes(editor, gone)
record_of_changes(editor)
