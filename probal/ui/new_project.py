"""The form that makes a project: says at once what does not fit, and keeps what was typed."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from probal import validate
from probal.errors import UserError
from probal.pool import count_images
from probal.ui.context import choose, open_workspace
from probal.ui.engine_words import ENCODERS, TYPED
from probal.ui.first_guesses import classes_of_subfolders, first_guesses

DEFAULT_AUDIT = 10
DEFAULT_BATCH = 10
_MOST_COUNTED = 200_000
_NAMES = "new_class_names"


def split_names(text: str) -> list[str]:
    """Class names as typed: one a line, or separated by commas; blank lines are harmless."""
    return [name.strip() for name in re.split(r"[,\n]", text) if name.strip()]


def suggested_name(folder: str) -> str:
    """A project name from a folder's: what it may not hold becomes a dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(folder.strip()).name).strip("-.")[:64]


def new_project_form() -> None:
    """Asks for folder, classes and name, and makes the project; its images are then read by the worker."""
    folder = st.text_input(
        "Folder of your images",
        placeholder="/home/me/photos",
        help="On the machine ProbAL runs on, subfolders included. The images are only read, never changed.",
    )
    wrong = _folder_problem(folder)
    _complain(wrong)
    root = Path(folder.strip()).expanduser() if folder.strip() and wrong is None else None
    if root is not None:
        st.caption(_how_many(root))
        _suggest_subfolders(root)
    text = st.text_area(
        "Class names",
        placeholder="cat\ndog\nneither",
        help="One a line, or separated by commas; a pasted list will do. Spell them out: the model reads them.",
        height=140,
        key=_NAMES,
    )
    names = split_names(text)
    problem = _class_problem(names) if names else None
    _complain(problem)
    if names and problem is None:
        st.caption(f"{len(names)} classes: {', '.join(names[:12])}{' …' if len(names) > 12 else ''}")
    name = st.text_input("Project name", value=suggested_name(folder), max_chars=64)
    # with a state of its own: what appears above it would shut it otherwise
    with st.expander("More settings", key="more_settings", on_change="rerun"):
        left, right = st.columns(2)
        audit = left.number_input(
            "Images set aside to measure the accuracy, in percent",
            *(0, 50, DEFAULT_AUDIT),
            help="Drawn at random, labeled like the others, never trained on. At least 30 and at most 200. Finish "
            "needs 29 of them to promise a precision of 90%, 59 for 95%.",
        )
        batch = right.number_input(
            "Labels per batch", *(1, 1000, DEFAULT_BATCH), help="After so many labels the model learns anew."
        )
        encoder = st.selectbox(
            "Encoder",
            list(ENCODERS),
            format_func=lambda each: ENCODERS.get(each, (each,))[0],
            accept_new_options=True,
            help="What turns an image into the numbers that the model learns from; a project keeps it. Any model of "
            "open_clip or transformers can be typed: `open_clip:<model>/<weights>`, `hf:<repo or folder>`.",
        )
        st.caption(ENCODERS[encoder][1] if encoder in ENCODERS else TYPED)
        template = st.text_input(
            "Prompt", placeholder="a photo of a {}", help="What the encoder reads; {} is the class name."
        )
    if root is not None and names and problem is None and not _prompt_problem(template):
        first_guesses(
            root, [validate.clean(each) for each in names], encoder.strip(), template.strip() or None
        )
    if st.button("Create project", type="primary", icon=":material/add:"):
        try:
            if not folder.strip():
                raise UserError("Give the folder of your images.")
            project = open_workspace().create_project(
                name,
                images=Path(folder.strip()),
                classes=names,
                encoder=encoder.strip(),
                template=template.strip() or None,
                audit=audit / 100,
                batch_size=int(batch),
            )
        except UserError as error:
            st.error(_sentence(str(error)), icon=":material/error:")
            return
        choose(project.name)
        for key in ("adding", _NAMES):
            st.session_state.pop(key, None)
        st.rerun()


def _folder_problem(folder: str) -> str | None:
    if not folder.strip():
        return None
    path = Path(folder.strip()).expanduser()
    if not path.exists():
        return f"there is no folder {path} on this machine"
    return None if path.is_dir() else f"{path} is a file: give the folder that holds it"


@st.cache_data(ttl=60, max_entries=8, show_spinner="Counting the images …")
def _how_many(root: Path) -> str:
    """How many images a folder holds, in words."""
    try:
        found = count_images(root, _MOST_COUNTED)
    except UserError as error:
        return escape(_sentence(str(error)))
    files = "image file" if found == 1 else "image files"
    return f"{'At least ' if found == _MOST_COUNTED else ''}{found:,} {files}, subfolders included."


def _suggest_subfolders(root: Path) -> None:
    """Offer the subfolders' names as class names, where there are some."""
    found = classes_of_subfolders(root)
    if not found:
        return

    some = ", ".join(found[:8]) + (" and more" if len(found) > 8 else "")

    def take() -> None:
        st.session_state[_NAMES] = "\n".join(found)

    st.button(
        f"Take the {len(found)} subfolders as class names",
        icon=":material/folder_open:",
        on_click=take,
        help=f"{some}. Where an image lies is not used as a label.",
    )


def _prompt_problem(template: str) -> bool:
    try:
        validate.template(template.strip() or None)
    except UserError:
        return True
    return False


def _class_problem(names: list[str]) -> str | None:
    try:
        validate.class_names(names)
    except UserError as error:
        return str(error)
    return None


def _complain(problem: str | None) -> None:
    if problem is not None:
        st.caption(f":red[:material/error: {escape(_sentence(problem))}]")


def _sentence(text: str) -> str:
    """The first letter large, as everything else on a page."""
    return text[:1].upper() + text[1:]


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>$~:-])", r"\\\1", text)
