"""What the Classes page is made of: the list and its changes, splitting, the record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from probal.classes import ClassEditor
from probal.types import ClassInfo, ImageState, Role
from probal.ui.context import annotator
from probal.ui.image_choice import choose_images
from probal.ui.new_project import escape
from probal.ui.outcome import attempt
from probal.validate import KEYS

SHOWN = 48
KINDS = {
    "add": "added",
    "rename": "renamed",
    "rename-keep": "renamed",
    "prompt": "prompt changed",
    "merge": "merged",
    "archive": "archived",
    "restore": "restored",
    "reopen": "labels taken back",
    "move": "order changed",
    "recolor": "color changed",
    "key": "key changed",
}


def change(by: Callable[[], Any], done: str) -> None:
    """Make a change of the classes, and say so on the page that is drawn next; or say why not."""
    attempt(by, "classes-said", done)


def label_counts(editor: ClassEditor) -> dict[int, int]:
    """Pool and audit labels by class id."""
    counts = editor.store.label_counts(editor.project.id)
    return {
        each.id: counts[Role.POOL].get(each.id, 0) + counts[Role.AUDIT].get(each.id, 0)
        for each in editor.store.classes(editor.project.id, archived=True)
    }


def class_table(known: list[ClassInfo], counts: dict[int, int], template: str) -> None:
    """All classes at a glance, in their order; `template` is what the model reads where nothing else is said."""
    names = {each.id: each.name for each in known}
    rows = [
        {
            "Class": each.name,
            "Key": each.key or "",
            "Labels": counts[each.id],
            "The model reads": (each.prompt or template).replace("{}", each.name),
            "State": _state(each, names),
        }
        for each in known
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def _state(each: ClassInfo, names: dict[int, str]) -> str:
    if each.merged_into is not None:
        return f"merged into {names[each.merged_into]}"
    return "archived" if each.archived else "in use"


def add_form(editor: ClassEditor) -> None:
    """A new class."""
    with st.form("add-class", clear_on_submit=True, border=False):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        name = left.text_input("New class", placeholder="long sleeve sweater")
        if right.form_submit_button("Add", icon=":material/add:", width="stretch"):
            change(lambda: editor.add(name), f"{escape(name)} is a class now.")


def edit_class(editor: ClassEditor, each: ClassInfo, known: list[ClassInfo], count: int) -> None:
    """Everything that can be done with one class in use."""
    others = [other.name for other in known if other.id != each.id]
    with st.form(f"looks-{each.id}", border=False):
        name, key, color = st.columns([3, 1, 1], vertical_alignment="bottom")
        new_name = name.text_input("Name", each.name, max_chars=100)
        keys = ["", *KEYS]
        new_key = key.selectbox(
            "Key", keys, index=keys.index(each.key or ""), format_func=lambda k: k or "none"
        )
        new_color = color.color_picker("Color", each.color or "#808080")
        keep = st.checkbox(
            "The model goes on reading the old name",
            help="Tick it where only the word changes, so that no prediction moves.",
        )
        if st.form_submit_button("Save", icon=":material/check:"):

            def save() -> None:
                if new_color != (each.color or "#808080"):
                    editor.recolor(each.name, new_color)
                if new_key != (each.key or ""):
                    editor.key(each.name, new_key)
                if new_name.strip() != each.name:
                    editor.rename(each.name, new_name, keep)

            change(save, "Saved.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        up = known.index(each)
        for label, icon, to in (("Up", "arrow_upward", up - 1), ("Down", "arrow_downward", up + 1)):
            if st.button(
                label, icon=f":material/{icon}:", key=f"{label}-{each.id}", disabled=not 0 <= to < len(known)
            ):
                order = [other.name for other in known]
                order.insert(to, order.pop(up))
                change(partial(editor.move, order), "The order is changed.")
        if st.button("Archive", icon=":material/archive:", key=f"archive-{each.id}", help=ARCHIVE):
            change(lambda: editor.archive(each.name), f"{escape(each.name)} is archived.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        into = st.selectbox(
            "Merge into", others, index=None, placeholder="another class", key=f"into-{each.id}"
        )
        if st.button("Merge", icon=":material/merge:", key=f"merge-{each.id}", disabled=into is None):
            text = f"{count:,} labels of {escape(each.name)} count as {escape(str(into))} now."
            change(lambda: editor.merge(each.name, str(into)), text)


ARCHIVE = "Its labels are kept, and neither train, measure nor leave in an export until it is restored."


def split_class(editor: ClassEditor, each: ClassInfo, known: list[ClassInfo], count: int) -> None:
    """Some images to another class by hand, or all of them back to be labeled anew."""
    if not count:
        st.caption("No image is labeled so yet: add the second class, and label on.")
        return
    store, project = editor.store, editor.project
    labels = store.current_labels(project.id, Role.POOL)
    labeled = {label.image_id for label in labels if label.class_id == each.id}
    images = [image for image in store.images(project.id, state=ImageState.OK) if image.id in labeled]
    st.caption(
        "Tick the images that belong to another class. Images that measure the accuracy are not shown: they are "
        "labeled without a hint, and come up again with the second way below."
    )
    chosen = choose_images(images[:SHOWN], f"split-{each.id}")
    if len(images) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(images):,}.")
    others = [other.name for other in known if other.id != each.id]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = st.selectbox(
            "They are", others, index=None, placeholder="another class", key=f"to-{each.id}"
        )
        if st.button("Move them", key=f"move-{each.id}", disabled=not chosen or target is None):
            done = f"{len(chosen)} images are {escape(str(target))} now."
            change(lambda: editor.relabel(chosen, str(target), annotator()), done)
    st.write("Or label all of them anew:")
    text = f"Ask for all {count:,} images again" if count > 1 else "Ask for this image again"
    if st.button(text, icon=":material/replay:", key=f"reopen-{each.id}"):
        change(lambda: editor.reopen(each.name), f"The images labeled {escape(each.name)} come up again.")


def archived_classes(editor: ClassEditor, gone: list[ClassInfo]) -> None:
    """Classes that were put away, and the way back."""
    with st.expander(f"Archived and merged ({len(gone)})"):
        for each in gone:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(each.name)
                if st.button("Restore", key=f"restore-{each.id}", icon=":material/unarchive:"):
                    change(partial(editor.restore, each.name), f"{escape(each.name)} is in use again.")


def record_of_changes(editor: ClassEditor) -> None:
    """What was changed when, and taking the last one back."""
    changes = editor.store.class_changes(editor.project.id)
    if not changes:
        return
    standing = [each for each in changes if not each.undone]
    with st.expander(f"Changes so far ({len(changes)})"):
        if st.button("Take the last change back", icon=":material/undo:", disabled=not standing):
            change(editor.undo, f"Taken back: {KINDS[standing[-1].kind]}.")
        rows = [
            {
                "When": each.created_at,
                "What": KINDS[each.kind],
                "Classes": ", ".join(row["name"] for row in each.after[:5]),
                "": "taken back" if each.undone else "",
            }
            for each in reversed(changes)
        ]
        columns = {"When": st.column_config.DatetimeColumn(format="distance")}
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=columns)
