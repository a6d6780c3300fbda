"""What a newcomer sees before a project is made: class names from subfolders, and the model's first guesses."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import streamlit as st

from probal import previews
from probal.pool.decode import IMAGE_SUFFIXES, UnreadableImage, open_image
from probal.previews import GuessQuestion
from probal.types import Metric
from probal.ui.context import open_workspace
from probal.ui.image_choice import show_row

SIDE = 160
NEAR_CHANCE = 1.5
"""Times an even split below which the model's mean certainty says that it hardly tells the classes apart."""
_MOST_FOLDERS = 1000


def classes_of_subfolders(folder: Path) -> list[str]:
    """Names of the subfolders that hold images, spelled with spaces; empty where there are fewer than two."""
    names = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)[:_MOST_FOLDERS]:
        if not entry.name.startswith(".") and entry.is_dir() and _holds_images(entry.path):
            names.append(" ".join(entry.name.replace("_", " ").split()))
    return names if len({name.casefold() for name in names}) == len(names) >= 2 else []


def _holds_images(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES for entry in entries)


def first_guesses(folder: Path, classes: Sequence[str], encoder: str, template: str | None) -> None:
    """Twelve random images with what the model takes them for; nothing is written down but the answer itself."""
    question = GuessQuestion(str(folder), tuple(classes), encoder, template)
    _guesses(folder, previews.ask(open_workspace(), question))


@st.fragment(run_every=1)
def _guesses(folder: Path, name: str) -> None:
    found = previews.answer(open_workspace(), name)
    if found is None:
        st.info(
            "The model looks at a few of your images. The first time takes some seconds; you need not wait for it.",
            icon=":material/hourglass_top:",
        )
        return
    if "error" in found:
        st.warning(found["error"][:1].upper() + found["error"][1:], icon=":material/error:")
        if st.button("Look again", icon=":material/refresh:"):
            previews.forget(open_workspace(), name)
            st.rerun()
        return
    st.write("**What the model would say now**, without any label, about twelve random images:")
    shown = [(source, each) for each in found["images"] if (source := _inline(folder / each["path"]))]
    captions = [f"{each['guesses'][0][0]}: {each['guesses'][0][1]:.0%}" for _, each in shown]
    show_row([source for source, _ in shown], [each["path"] for _, each in shown], captions)
    st.caption(how_sure(found))


def how_sure(found: Mapping[str, Any]) -> str:
    """What the certainty of the guesses means, in plain words."""
    numbers = (
        f"On average it is {found['sure']:.0%} sure, where an even split would be {found['chance']:.0%}."
    )
    if found["sure"] < NEAR_CHANCE * found["chance"]:
        return (
            f"{numbers} So it hardly tells these classes apart yet. Spell the names out as in a caption (`long "
            "sleeve sweater`, not `LS_04`); what the names do not tell it, it learns from your labels."
        )
    return (
        f"{numbers} That is how sure it is, not how right. While you label, images drawn at random measure how "
        "right it is. Odd guesses are often a matter of words: try a name spelled out."
    )


def start_sentence(metrics: Sequence[Metric], n_classes: int) -> str | None:
    """Said once audit labels show that the model, before any label, was no better than guessing; None otherwise."""
    start = next((m for m in metrics if m.name == "accuracy" and m.round_index == 0), None)
    if start is None or start.low is None or start.preliminary or start.low > 1 / n_classes:
        return None
    return (
        f"Before your labels the model was right on {start.value:.0%} of {start.n} images drawn at random, and "
        f"guessing among {n_classes} classes is right on {1 / n_classes:.0%}: it did not know these classes by their "
        "names. What it knows now comes from your labels; Progress shows how fast that grows."
    )


@st.cache_data(max_entries=200, show_spinner=False)
def _inline(path: Path) -> str | None:
    """A small picture as a data address; None where it cannot be read any more."""
    try:
        image = open_image(path)
    except UnreadableImage:
        return None
    image.thumbnail((SIDE, SIDE))
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
