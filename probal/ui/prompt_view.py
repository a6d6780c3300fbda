"""What the model reads for a class, or for all of them, tried on images of the pool before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from probal import previews
from probal.classes import ClassEditor
from probal.encoders.vectors import PREFIX as VECTORS
from probal.errors import UserError
from probal.previews import PromptQuestion
from probal.types import ClassInfo, Project
from probal.ui.classes_view import change
from probal.ui.context import open_workspace
from probal.ui.image_choice import row_of_images
from probal.ui.new_project import escape

NOT_YET = "Change the text to see what it would do before you save it."


def read_text(project: Project) -> str:
    """What the model reads for a class without a prompt of its own, `{}` standing for the name."""
    return project.config.template or _own_template(project)


def _own_template(project: Project) -> str:
    facts = open_workspace().store.get_setting(project.id, "encoder") or {}
    return str(facts.get("default_template", "{}"))


def try_prompt(editor: ClassEditor, each: ClassInfo, known: list[ClassInfo]) -> None:
    """A prompt for one class, what it would change on images of the pool, and then the button that keeps it."""
    if editor.project.config.encoder.startswith(VECTORS):
        st.caption("The vectors of this project come from a file: no encoder reads a prompt.")
        return
    text = st.text_input(
        "What the model reads",
        each.prompt or "",
        placeholder=read_text(editor.project),
        help="{} stands for the name. Empty: what is read for every class.",
        key=f"prompt-{each.id}",
    )
    if (text.strip() or None) == each.prompt:
        st.caption(NOT_YET)
        return
    template = editor.project.config.template
    draft = tuple((one.id, text.strip() or None if one.id == each.id else one.prompt) for one in known)
    _effect(_ask(editor.project, known, draft, template), {one.id: one.name for one in known}, each.id)
    if st.button("Keep this prompt", type="primary", key=f"keep-{each.id}", icon=":material/check:"):
        change(lambda: editor.prompt(each.name, text), "The next round reads the new prompt.")


def try_template(editor: ClassEditor, known: list[ClassInfo]) -> None:
    """The same for what is read for every class without a prompt of its own."""
    project = editor.project
    if project.config.encoder.startswith(VECTORS):
        return
    st.subheader("What the model reads for every class", anchor=False)
    text = st.text_input(
        "Prompt",
        project.config.template or "",
        placeholder=_own_template(project),
        help="{} stands for the name. A class with a prompt of its own keeps that. Empty: the encoder's own.",
        key=f"template-{project.id}",
    )
    try:
        wanted = editor.checked_template(text)
    except UserError as error:
        st.caption(f":red[:material/error: {escape(str(error))}]")
        return
    if wanted == project.config.template:
        st.caption(NOT_YET)
        return
    now = tuple((one.id, one.prompt) for one in known)
    _effect(_ask(project, known, now, wanted), {one.id: one.name for one in known}, None)
    if st.button("Keep it for all classes", type="primary", icon=":material/check:"):
        change(lambda: editor.template(text), "The next round reads the new prompt for every class.")


def _ask(
    project: Project,
    known: list[ClassInfo],
    draft: tuple[tuple[int, str | None], ...],
    template: str | None,
) -> str:
    now = tuple((one.id, one.prompt) for one in known)
    question = PromptQuestion(project.name, draft, now, template, project.config.template)
    return previews.ask(open_workspace(), question)


@st.fragment(run_every=1)
def _effect(name: str, names: Mapping[int, str], class_id: int | None) -> None:
    """What the worker found; pictures of one class, or of the one that changes most."""
    found = previews.answer(open_workspace(), name)
    if found is None:
        st.info("The worker tries the prompt on images of the pool …", icon=":material/hourglass_top:")
        return
    if "error" in found:
        st.warning(found["error"], icon=":material/error:")
        return
    st.write(
        f"**{found['changed']} of {found['n']}** random images of the pool would be called something else before any "
        "label counts."
    )
    changed = [
        one for one in found["classes"] if one["before"] != one["after"] or one["class_id"] == class_id
    ]
    rows = [
        {"Class": names[one["class_id"]], "Called so now": one["before"], "With the new prompt": one["after"]}
        for one in changed
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="content")
        shown = max(changed, key=lambda one: (one["class_id"] == class_id, abs(one["after"] - one["before"])))
        _pictures(shown, names[shown["class_id"]])


def _pictures(one: Mapping[str, Any], name: str) -> None:
    for title, hashes in (
        (f"Likest {name} now", one["top_before"]),
        (f"Likest {name} with the new prompt", one["top_after"]),
    ):
        st.caption(escape(title))
        row_of_images(hashes, f"{title}, image")
