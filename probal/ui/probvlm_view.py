"""ProbVLM on the Engine page: training it on labels and captions, and what it adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from probal import orders
from probal.store import Store
from probal.types import JobKind, Project
from probal.ui.context import open_workspace
from probal.ui.engine_view import busy_or_failed
from probal.ui.outcome import attempt
from probal.web.security import image_url

FEWEST_PAIRS = 40
"""Labels that ProbVLM needs; a test compares it with the engine's."""


def probvlm(store: Store, project: Project, labels: int) -> None:
    """Training ProbVLM, and what it adds."""
    st.write(
        "ProbVLM learns how much an image leaves open in itself: a blurred one, or one with two things in it, "
        "however many labels there are. Labeling shows it with every image, and a strategy can ask for what it does "
        "not know."
    )
    trained, gain = orders.probvlm_training(store, project), orders.probvlm_gain(store, project)
    if busy_or_failed(store, project, JobKind.PROBVLM):
        return
    if trained is not None:
        _facts(trained, gain)
    with st.expander("Captions", key=f"captions of {project.id}", on_change="rerun"):
        captions = st.text_input(
            "CSV with the columns path,caption",
            placeholder="/data/captions.csv",
            help="Paths of images in the project, or beside the file. Without captions it learns from your labels "
            "and what the model reads for their classes; captions tell it more of what a picture can mean.",
            key=f"captions {project.id}",
            max_chars=1000,
        ).strip()
    enough = labels >= FEWEST_PAIRS or bool(captions)
    if not enough:
        st.caption(
            f"It takes {FEWEST_PAIRS} labels that may be learned from, of two classes or more, or captions; there "
            f"are {labels} labels."
        )
    if st.button(
        "Train again" if trained else "Train ProbVLM",
        icon=":material/model_training:",
        disabled=not enough,
        help="Takes some minutes, in which labeling goes on with the images at hand.",
    ):
        attempt(lambda: orders.ask_probvlm(store, project, captions))


def _facts(trained: Mapping[str, Any], gain: Mapping[str, Any] | None) -> None:
    cells = [
        ("Trained on", _source(trained), None),
        (
            "Intervals are off by",
            f"{trained['calibration_error']:.1%}",
            "Gap between what its intervals claim to hold and what they do, on images kept back.",
        ),
    ]
    if gain is not None:
        flagged = f"{gain['flagged']:,} of {gain['images']:,}"
        cells.insert(0, ("Flagged as ambiguous", flagged, "More ambiguous than 90 of 100 ordinary images."))
    with st.container(horizontal=True, gap="medium"):
        for label, value, text in cells:
            st.metric(label, value, help=text, width="content")
    if gain is not None:
        if gain.get("left_out"):
            st.caption(f"Captions of images that only measure were left out: {gain['left_out']:,}.")
        _gain(gain)


def _gain(gain: Mapping[str, Any]) -> None:
    correlation = float(gain["correlation"])
    same = "much the same as" if correlation > 0.7 else "partly" if correlation > 0.3 else "hardly"
    st.write(
        f"Its order of the images is {same} what the model's own uncertainty says (rank correlation "
        f"{correlation:.2f}). Look at both rows: if the first is no harder to you than the second, it adds nothing "
        "here."
    )
    token = open_workspace().token
    for title, name in (("Most ambiguous", "most"), ("Least ambiguous", "least")):
        st.markdown(f"**{title}**")
        tiles = "".join(
            f'<img src="{image_url(token, each, 320)}" alt="" loading="lazy">' for each in gain[name]
        )
        st.html(
            "<style>.pal-strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(84px,1fr));gap:6px}"
            ".pal-strip img{width:100%;aspect-ratio:1;object-fit:cover;border-radius:6px;border:1px solid #8884}"
            f"</style><div class='pal-strip'>{tiles}</div>"
        )


def _source(trained: Mapping[str, Any]) -> str:
    labels, captions = f"{trained['labels']:,} labels", f"{trained['captions']:,} captions"
    if not trained["captions"]:
        return labels
    return captions if not trained["labels"] else f"{labels}, {captions}"
