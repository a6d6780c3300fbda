"""The parts of the Engine page: what chooses, what learns, a target, and the encoder's posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from probal import advice, orders
from probal.errors import UserError
from probal.orders import PosteriorOrder
from probal.store import Store
from probal.types import JobKind, JobState, Project
from probal.ui.engine_words import ADAPTERS, STRATEGIES
from probal.ui.outcome import attempt, complain
from probal.ui.pool_view import wait_for

MOST_AT_ONCE = 1000
"""Labels between two updates, as `validate.batch_size` has it."""
_SOURCES = {
    "pool": "The images of this project",
    "pairs": "Images with captions",
    "published": "Published factors",
}


def choices(store: Store, project: Project) -> None:
    """Strategy, adapter and batch size, each in a sentence; a change takes effect with a new round."""
    config = project.config
    trained = orders.probvlm_training(store, project) is not None
    strategies = [name for name in STRATEGIES if trained or name != "probvlm" or config.strategy == name]
    left, right = st.columns(2, gap="large")
    with left:
        strategy = st.selectbox(
            "Which images are asked for",
            strategies,
            strategies.index(config.strategy),
            format_func=lambda name: STRATEGIES[name][0],
            key=f"strategy {project.id}",
        )
        st.caption(STRATEGIES[strategy][1])
        latest = store.latest_round(project.id)
        if latest is not None and latest.strategy == strategy and (said := advice.decision(latest)):
            st.caption(f"In the latest round: {said}")
    with right:
        adapter = st.selectbox(
            "What learns from your labels",
            list(ADAPTERS),
            list(ADAPTERS).index(config.adapter),
            format_func=lambda name: ADAPTERS[name][0],
            key=f"adapter {project.id}",
        )
        st.caption(ADAPTERS[adapter][1])
    batch = st.number_input(
        "Labels between two updates",
        1,
        MOST_AT_ONCE,
        config.batch_size,
        key=f"batch {project.id}",
        width=260,
        help="The model learns anew after so many labels. Few make it quick to react; many let strategies that "
        "choose a batch as a whole do more.",
    )
    same = (strategy, adapter, int(batch)) == (config.strategy, config.adapter, config.batch_size)
    if st.button("Use from now on", type="primary", disabled=same, icon=":material/check:"):
        try:
            orders.change(store, project, strategy, adapter, int(batch))
        except UserError as error:
            complain(error)
        else:
            st.toast("Changed. The next images are being chosen.")
            st.rerun()


def encoder(project: Project) -> None:
    """Which encoder reads the images, and how to try another."""
    st.text(f"Encoder: {project.config.encoder}")
    st.caption(
        "It turns each image into the vector that everything else works on, so a project keeps it: vectors of two "
        "encoders do not mix. To try another one, make a new project on the same folder and take the labels along: "
        "the page Export writes them, Labels you have already on the page Pool takes them in. The page Progress then "
        "shows both curves in one figure."
    )


def target(store: Store, project: Project) -> None:
    """Aiming the rounds at images of elsewhere."""
    current = orders.aim(store, project)
    st.write(
        "Is the model to be good on other images than these, such as those of another camera or next year's? Name "
        "their folder or their project. Only images near them are then asked for, those first whose labels tell most "
        "about them (EPIG). The others' labels are never needed."
    )
    if current is not None:
        st.info(f"Every round is aimed at {current}.", icon=":material/target:")
        if st.button("Aim at nothing", icon=":material/close:"):
            orders.aim_at(store, project, None)
            st.rerun()
        return
    where = st.text_input(
        "Folder or project", placeholder="/data/new-camera", key=f"aim {project.id}", max_chars=1000
    )
    if st.button("Aim at these", icon=":material/target:", disabled=not where.strip()):
        attempt(lambda: orders.aim_at(store, project, where))


def posterior(store: Store, project: Project) -> None:
    """Making a posterior of the encoder's last layers, what it changes, and whether it is used."""
    st.write(
        "BayesVLM asks how sure the encoder itself is of its vectors. It is off by default, for a measured reason: "
        "made from images without captions it predicts no better than the plain model with a temperature. Factors "
        "from many captioned images, such as those that BayesVLM's authors publish, are the better source."
    )
    if busy_or_failed(store, project, JobKind.POSTERIOR):
        return
    on = orders.posterior_in_use(store, project)
    facts = orders.posterior_facts(store, project)
    if on is not None:
        if facts is not None:
            _posterior_facts(facts)
        wanted = st.toggle("Use it", value=on, key=f"posterior {project.id} {on}")
        if wanted != on:
            orders.use_posterior(store, project, wanted)
            st.rerun()
    _order(store, project, "Make another" if on is not None else "Make one")


def _order(store: Store, project: Project, title: str) -> None:
    source = st.radio(f"{title} from", list(_SOURCES), format_func=_SOURCES.__getitem__, horizontal=True)
    path, count = None, PosteriorOrder.pseudo_count
    if source == "pool":
        count = float(
            st.number_input(
                "The pool counts as so many images",
                1,
                1_000_000_000,
                int(PosteriorOrder.pseudo_count),
                help="More makes the encoder surer of itself. Without captions the images say in which directions "
                "it is sure, not how much.",
                width=260,
            )
        )
    else:
        says = "CSV with the columns path,caption" if source == "pairs" else "Folder of the published factors"
        path = st.text_input(says, max_chars=1000)
    with st.expander("Advanced"):
        damping = st.radio(
            "Damping",
            orders.DAMPINGS,
            format_func={"exact": "Exact: τ A⊗B + λI", "factored": "Factored, as in the paper"}.__getitem__,
        )
    if st.button(
        "Compute", icon=":material/calculate:", help="Takes some minutes; nothing changes until you use it."
    ):
        order = PosteriorOrder(source, path, count, damping)
        attempt(lambda: orders.ask_posterior(store, project, order))


def _posterior_facts(facts: Mapping[str, Any]) -> None:
    (plain, with_it), (before, after) = facts["confidence"], facts["epistemic"]
    cells = [
        (
            "Called otherwise",
            f"{facts['changed']:,} of {facts['images']:,}",
            "Pool images whose likeliest class is another.",
        ),
        ("Mean confidence", f"{plain:.1%} → {with_it:.1%}", "Without it and with it."),
        (
            "What labels can teach",
            f"{before:.3f} → {after:.3f}",
            "Mean epistemic uncertainty in nats, without and with it.",
        ),
    ]
    with st.container(horizontal=True, gap="medium"):
        for label, value, text in cells:
            st.metric(label, value, help=text, width="content")
    told = {"label-free": "the pool", "pairs": "images with captions", "published": "published factors"}
    st.caption(f"Made from {told[facts['source']]}, {facts['count']:,.0f} images.")


def busy_or_failed(store: Store, project: Project, kind: JobKind) -> bool:
    """Draws how far the job is, or why the last one failed; True while it runs."""
    job = store.last_job(project.id, kind)
    if job is None or job.state is JobState.DONE:
        return False
    if job.state is JobState.FAILED:
        st.error(job.error or "The worker could not do it.", icon=":material/error:")
        return False
    wait_for(store, project, kind)
    return True
