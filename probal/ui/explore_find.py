"""Which images to show and in which order: filters and search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from probal.explore import Catalog, Filter, matching
from probal.explore.actions import ask
from probal.explore.search import class_likeness, likeness, text_likeness
from probal.types import ClassInfo, JobKind, Project
from probal.ui.context import open_workspace
from probal.ui.explore_state import pending, problem, wait_for

ORDERS = ("Folder", "Least sure first", "Surest first", "Like a text", "Like a class")
LIKE_IMAGES = "Like the chosen images"
EXAMPLES = "explore-examples"
ORDER = "explore-order"


@dataclass(frozen=True, eq=False)
class Found:
    """Images that someone wants to see."""

    rows: np.ndarray  # rows of the catalog, in the order to show
    filtered: bool
    """Whether these are not all there are."""


def find(project: Project, catalog: Catalog, classes: list[ClassInfo]) -> Found:
    """The controls, and what they find."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = _order(project)
        with st.popover("Filters", icon=":material/filter_alt:"):
            wanted = _filters(catalog, classes)
    rows = matching(catalog, wanted)
    return Found(_ordered(project, catalog, classes, rows, order), wanted != Filter())


def show_like(project: Project, image_ids: list[int]) -> None:
    """Order the images by likeness to these from now on. A button's callback."""
    st.session_state[EXAMPLES] = (project.id, image_ids)
    st.session_state[ORDER] = LIKE_IMAGES


def _order(project: Project) -> str:
    of, examples = st.session_state.get(EXAMPLES, (None, []))
    orders = [*ORDERS, *([LIKE_IMAGES] if examples and of == project.id else [])]
    if st.session_state.get(ORDER) not in orders:
        st.session_state[ORDER] = orders[0]
    return str(st.selectbox("Order", orders, key=ORDER, width=220))


def _ordered(
    project: Project, catalog: Catalog, classes: list[ClassInfo], rows: np.ndarray, order: str
) -> np.ndarray:
    workspace = open_workspace()
    score: np.ndarray | None = None
    if order == "Least sure first":
        score = catalog.entropy
    elif order == "Surest first":
        score = -catalog.entropy
    elif order == "Like a text":
        score = _like_text(project, catalog)
    elif order == "Like a class":
        names = {each.id: each.name for each in classes}
        chosen = st.selectbox("Class", list(names), format_func=lambda each: names[each], width=280)
        if chosen is not None:
            score = class_likeness(workspace, project, catalog, chosen)
            if not (catalog.label == chosen).any():
                st.caption("No image of this class is labeled yet, so the model's guess decides the order.")
    elif order == LIKE_IMAGES:
        _, examples = st.session_state[EXAMPLES]
        n = len(examples)
        st.caption(f"Most like the {'image' if n == 1 else f'{n} images'} you chose first.")
        score = likeness(workspace, project, catalog, examples)
    if score is None:
        return rows
    # what has no score comes last
    return rows[np.argsort(-np.nan_to_num(score[rows], nan=-np.inf), kind="stable")]


def _like_text(project: Project, catalog: Catalog) -> np.ndarray | None:
    """Likeness [N] to a text; None while none is typed or the worker has not read it yet."""
    text = st.text_input(
        "Text", placeholder="what the image shows, such as: red rubber boots", width=420
    ).strip()
    if not text:
        return None
    found = text_likeness(open_workspace(), project, catalog, text)
    if found is None:
        if pending(project, JobKind.ANSWER):
            wait_for(project, JobKind.ANSWER)
        elif st.session_state.get("explore-asked") != text:
            st.session_state["explore-asked"] = text
            ask(open_workspace().store, project, text=text)
            st.rerun()
        else:
            problem(project, JobKind.ANSWER)
    return found


def _filters(catalog: Catalog, classes: list[ClassInfo]) -> Filter:
    names = {each.id: each.name for each in classes}

    def of_classes(label: str) -> tuple[int, ...]:
        return tuple(
            st.multiselect(label, list(names), format_func=lambda each: names[each], key=f"explore-{label}")
        )

    labeled = st.segmented_control("Which", ["Labeled", "Unlabeled"], key="explore-which")
    label, predicted = of_classes("Label"), of_classes("Predicted class")
    sure = st.slider(
        "Confidence of the prediction", 0, 100, (0, 100), format="%d%%", key="explore-confidence"
    )
    marks = st.pills(
        "Only",
        ["Flagged", "Near-duplicates", "Disagreement"],
        selection_mode="multi",
        key="explore-marks",
    )
    people = st.multiselect("Labeled by", list(catalog.annotators), key="explore-people")
    rounds = st.multiselect(
        "Labeled in round",
        [each for each in np.unique(catalog.round).tolist() if each >= 0],
        format_func=lambda each: str(each + 1),
        key="explore-rounds",
    )
    path = st.text_input("Part of the file name", key="explore-path")
    return Filter(
        labels=label,
        predicted=predicted,
        labeled=None if labeled is None else labeled == "Labeled",
        confidence=None if sure == (0, 100) else (sure[0] / 100, sure[1] / 100),
        flagged="Flagged" in marks,
        duplicates="Near-duplicates" in marks,
        disagreement="Disagreement" in marks,
        annotators=tuple(people),
        rounds=tuple(rounds),
        path=path.strip(),
    )
