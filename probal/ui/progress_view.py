"""The parts of the Progress page, one function each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from probal.evaluation import Drift, StoppingAdvice, Verdict
from probal.labeling import ProjectStatus
from probal.pace import by_mode, sentence
from probal.store import Store
from probal.types import ClassInfo, Metric, Project
from probal.ui import model_charts, progress_data
from probal.ui.charts import ACCURACY, CONTROL, accuracy_curve, class_balance, latest_per_labels
from probal.ui.context import empty_state, open_workspace
from probal.ui.figures import show

MOST_DRAWN = 40
"""Classes up to which bars are drawn; a table of more is easier to read."""
MOST_SQUARE = 60
"""Classes up to which the confusion matrix is drawn."""
_LOOK = {
    Verdict.CAN_STOP: (st.success, ":material/flag:"),
    Verdict.GO_ON: (st.info, ":material/trending_up:"),
    Verdict.TOO_EARLY: (st.info, ":material/hourglass_empty:"),
}


def advice(found: StoppingAdvice | None, drift: Drift | None, project: Project) -> None:
    """Whether to go on, in a sentence, with the reasons on demand; a warning where new images differ."""
    if drift is not None and drift.warning is not None:
        st.warning(drift.warning[0].upper() + drift.warning[1:] + ".", icon=":material/compare:")
    if found is None:
        return
    look, icon = _LOOK[found.verdict]
    look(found.sentence, icon=icon)
    with st.expander("Why"):
        for reason in found.reasons:
            st.markdown(f"- {reason[0].upper()}{reason[1:]}")
        st.caption(
            "The range holds at every look and every round together, so you may look as often as you like. Gains "
            "come from a curve fitted to the past rounds, with 80% intervals."
        )
    if found.verdict is Verdict.CAN_STOP and st.button(
        "Let the model label the rest", icon=":material/done_all:"
    ):
        st.switch_page("finish.py", query_params={"project": project.name})


def curve(
    store: Store,
    project: Project,
    metrics: Sequence[Metric],
    found: StoppingAdvice | None,
    status: ProjectStatus,
) -> None:
    """Accuracy against labels, beside other projects if asked for."""
    points = latest_per_labels(metrics, ACCURACY)
    if not points:
        empty_state(
            "No accuracy yet",
            "It is measured on images drawn at random, which come up while you label. The first point appears "
            f"after about {status.batch_size} labels.",
        )
        if st.button("Label", type="primary", icon=":material/keyboard:"):
            st.switch_page("label.py", query_params={"project": project.name})
        return
    names = [each.name for each in store.projects() if each.id != project.id]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        always = st.toggle(
            "Interval that holds at every look",
            help="The band is right for one look. Who looks after every batch and stops when he likes what he "
            "sees needs the wider one: it holds at all looks together.",
        )
        ahead = (
            st.toggle("What the next labels may bring", value=True) if _projectable(found, points) else False
        )
        chosen = (
            st.multiselect("Compare with", names, placeholder="other projects", width=280) if names else []
        )
    shown = [project, *(store.project(name) for name in chosen)]
    called = dict(zip((each.id for each in shown), progress_data.series_names(shown), strict=True))
    others = {called[each.id]: store.metrics(each.id, ACCURACY) for each in shown[1:]}
    projected = found.projected if found is not None and ahead else ()
    figure = accuracy_curve(metrics, projected, others, called[project.id] if chosen else "Accuracy", always)
    series: dict[str, Sequence[Metric]] = {
        called[project.id]: points,
        "Random choice": latest_per_labels(metrics, CONTROL),
        **{name: latest_per_labels(theirs, ACCURACY) for name, theirs in others.items()},
    }
    table = progress_data.curve_table(series, projected, points[-1])
    last = points[-1]
    show(figure, table, f"{project.name}-accuracy", f"Accuracy {last.value:.0%} after {last.labels} labels.")
    st.caption(_curve_note(points[-1].detail.get("source")))
    if status.audit_skipped:
        were = "was" if status.audit_skipped == 1 else "were"
        st.caption(
            f"{status.audit_skipped:,} of the randomly drawn images {were} skipped; "
            "the accuracy says nothing about such images until they are labeled."
        )


def classes(
    project: Project, infos: Sequence[ClassInfo], labels: Mapping[int, int], metrics: Sequence[Metric]
) -> None:
    """Labels and accuracy per class, and what is taken for what."""
    measured = progress_data.latest(metrics, progress_data.CONFUSION)
    found = None if measured is None else progress_data.confusion(measured, infos)
    table = progress_data.class_table(infos, labels, found)
    if not sum(labels.values()):
        st.write("No labels yet. Give some on the Label page: one key per image.")
    elif len(infos) > MOST_DRAWN:
        _table_of_classes(table)
    else:
        left, right = st.columns(2, gap="large")
        with left:
            st.subheader("Labels per class", anchor=False)
            balance = table[["class", "labels"]]
            alt = f"{sum(labels.values())} labels over {len(infos)} classes."
            show(class_balance(infos, labels), balance, f"{project.name}-labels-per-class", alt)
        with right:
            st.subheader("Accuracy per class", anchor=False)
            if found is None or measured is None:
                st.write("Comes with the first randomly drawn images that are labeled.")
            else:
                alt = f"Accuracy of {len(infos)} classes on {measured.n} images."
                show(model_charts.per_class(table), table, f"{project.name}-accuracy-per-class", alt)
                st.caption("Points are the share that is right; lines are 95% intervals, wide on few images.")
    if found is not None and measured is not None:
        _mixed_up(project, found, measured)


def calibration(project: Project, metrics: Sequence[Metric]) -> None:
    """Whether the model's confidence can be taken at its word."""
    measured = progress_data.latest(metrics, progress_data.CALIBRATION)
    if measured is None:
        empty_state("Not measured yet", "It takes labels of the randomly drawn images; go on labeling.")
        return
    st.write(progress_data.calibration_sentence(measured))
    table = progress_data.calibration_table(measured)
    show(
        model_charts.reliability_diagram(table),
        table,
        f"{project.name}-calibration",
        f"Share of right predictions in {len(table)} bins of the stated confidence.",
    )
    st.caption(
        f"On {measured.n} images that no model was fitted on. On the dotted line a prediction of 80% is right in "
        "80 of 100 cases; below it the model is too sure. Larger points rest on more images. Calibration error "
        f"beyond chance (debiased ECE): {measured.value:+.3f}."
    )


def uncertainty(project: Project, metrics: Sequence[Metric]) -> None:
    """How unsure the model is about the unlabeled pool, round by round."""
    table = progress_data.uncertainty_table(metrics)
    if table.empty:
        empty_state("Not measured yet", "It comes with the next round; go on labeling.")
        return
    last = table.iloc[-1]
    alt = f"Mean uncertainty {last['total']:.2f} nats after {last['labels']:.0f} labels."
    show(model_charts.uncertainty_curve(table), table, f"{project.name}-uncertainty", alt)
    st.caption(
        "Mean over the images without a label. The hard ones are labeled first, so a falling line says that the rest "
        "is easy as well as that the model has learned."
    )


def pace(store: Store, project: Project) -> None:
    """Labels per hour of work."""
    table = _pace(project.id, store.watermark(project.id))
    if table.empty:
        empty_state(
            "No labels by hand yet", "Labels given on the Label page are timed; imported ones are not."
        )
        return
    last = table.iloc[-1]
    alt = f"{last['labels per hour']:.0f} labels per hour lately."
    show(model_charts.pace_curve(table), table, f"{project.name}-pace", alt)
    st.caption(
        f"Lately {last['labels per hour']:,.0f} an hour, {last['median seconds']:.1f} s for an image. An hour is an "
        f"hour of work: time away from the screen is not counted. {_modes(project.id, store.watermark(project.id))}"
    )


@st.cache_data(max_entries=8, show_spinner=False)
def _pace(project_id: int, watermark: int) -> pd.DataFrame:
    """As of the event of this number: what is stored up to there does not change but by undo, an event too."""
    return progress_data.pace_table(open_workspace().store.events(project_id))


@st.cache_data(max_entries=8, show_spinner=False)
def _modes(project_id: int, watermark: int) -> str:
    """As `_pace`."""
    return sentence(by_mode(open_workspace().store.events(project_id)))


def _projectable(found: StoppingAdvice | None, points: Sequence[Metric]) -> bool:
    """Whether there is a projection of the newest round to draw."""
    return found is not None and bool(found.projected) and found.round_index == points[-1].round_index


def _curve_note(source: object) -> str:
    """Where the accuracy comes from, in one line."""
    measured = (
        "Measured on the labeled test images that came with the project; none is trained on."
        if source == "test"
        else "Measured on images drawn at random and labeled without a suggestion; none is trained on."
    )
    return f"{measured} The band is the 95% interval; hollow points rest on fewer than 30 images."


def _mixed_up(project: Project, found: progress_data.Confusion, measured: Metric) -> None:
    table = progress_data.confusion_table(found)
    wrong = table[table["label"] != table["called"]]
    st.subheader("What is taken for what", anchor=False)
    if wrong.empty:
        st.write(f"Nothing: all {measured.n} tested images are called right.")
    else:
        # as text, not Markdown: a class may be named *.jpg
        st.text(
            "\n".join(
                f"{row.label} called {row.called}: {row.images} of {row.of}"
                for row in wrong.head(6).itertuples()
            )
        )
    if len(found.classes) <= MOST_SQUARE:
        alt = f"{int(wrong['images'].sum())} of {measured.n} tested images are called wrong."
        show(model_charts.confusion_matrix(found), table, f"{project.name}-confusion", alt)
    else:
        st.dataframe(wrong, hide_index=True)


def _table_of_classes(table: pd.DataFrame) -> None:
    share = st.column_config.NumberColumn(format="percent")
    bar = st.column_config.ProgressColumn("Accuracy", format="percent", min_value=0, max_value=1)
    columns: dict[str, Any] = {
        "class": "Class",
        "labels": "Labels",
        "accuracy": bar,
        "low": share,
        "high": share,
    }
    st.dataframe(table, hide_index=True, column_config=columns)
    st.caption("Low and high are the ends of the 95% interval. Click a heading to sort.")
