"""What the People page is made of: settings, the people, their agreement, and the images to decide."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from probal import people
from probal.evaluation import Agreement
from probal.evaluation.agreement import FEW
from probal.people import Dispute, PeopleReport
from probal.store import Store
from probal.types import ClassInfo, Project
from probal.ui.context import annotator, open_workspace
from probal.ui.image_choice import one_image
from probal.ui.new_project import escape
from probal.ui.outcome import attempt
from probal.web.security import image_url

LARGE = 1280


def overlap_form(store: Store, project: Project) -> None:
    """How many images are labeled more than once."""
    now = store.overlap(project.id)
    with st.expander("Label some images more than once", expanded=now.share == 0 and now.repeats == 0):
        st.caption(
            "Handed out without a prediction, one in four at most. A second person gets an image ten minutes after "
            "the first at the earliest; a person's own image comes back after twenty others."
        )
        with st.form("overlap", border=False):
            left, middle, right = st.columns(3)
            share = left.number_input("Images for several people, in percent", 0, 100, round(now.share * 100))
            most = people.MAX_ANNOTATORS
            number = middle.number_input("People per such image", 2, most, now.annotators)
            repeats = right.number_input(
                "Own images asked again, in percent", 0, 100, round(now.repeats * 100)
            )
            if st.form_submit_button("Save", icon=":material/check:"):
                people.set_overlap(store, project, share / 100, int(number), repeats / 100)
                st.session_state["people-said"] = "Saved; it holds for what is handed out from now on."
                st.rerun()


def people_table(found: PeopleReport) -> None:
    """Speed and progress per person."""
    rows = [
        {
            "Person": each.name,
            "Labeled": each.images,
            "Labels per hour": "–" if each.per_hour is None else f"{each.per_hour:,.0f}",
            "Seconds per image": "–" if each.seconds is None else f"{each.seconds:.1f}",
            "Skipped": each.skips,
            "Flagged": each.flags,
            "Decided": each.settled,
            "Same class again": "–" if each.repeats is None else f"{each.repeats.same} of {each.repeats.n}",
            "Last": each.last,
        }
        for each in found.people
    ]
    columns = {"Last": st.column_config.DatetimeColumn(format="distance")}
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=columns)
    st.caption("Pauses of five minutes and more do not count for the speed.")


def agreement(found: PeopleReport, names: Mapping[int, str]) -> None:
    """Per pair, class and round; with what the numbers mean."""
    st.subheader("Agreement", anchor=False)
    if not found.shared:
        st.write(
            "No image was labeled by two people yet. Set a share above, and let another person label under their own "
            "name: the name stands at the top of the Label page."
        )
        return
    alpha = "–" if found.alpha is None else f"{found.alpha:.2f}"
    with st.container(horizontal=True, gap="medium"):
        st.metric("Krippendorff's alpha", alpha, help=ALPHA, width="content")
        st.metric("Images that several people labeled", f"{found.shared:,}", width="content")
    if found.shared < FEW:
        st.caption(f"Fewer than {FEW} images: take these numbers as a first hint.")
    rows = [
        {
            "People": f"{each.first} and {each.second}",
            "Alike": f"{each.percent.same} of {each.percent.n}",
            "Percent": _percent(each.percent),
            "Cohen's kappa": "–" if each.kappa is None else f"{each.kappa:.2f}",
        }
        for each in found.pairs
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
    left, right = st.columns(2)
    by_class = [
        {
            "Class": names[class_id],
            "All of one mind": f"{each.same} of {each.n}",
            "Share": 100 * each.same / each.n,
        }
        for class_id, each in sorted(found.classes.items(), key=lambda item: item[1].same / item[1].n)
    ]
    percent = {"Share": st.column_config.ProgressColumn(format="%.0f%%", min_value=0, max_value=100)}
    left.dataframe(pd.DataFrame(by_class), hide_index=True, width="stretch", column_config=percent)
    by_round = [
        {"Round": index + 1, "Images": n, "Alpha": "–" if value is None else f"{value:.2f}"}
        for index, (value, n) in found.rounds.items()
    ]
    if by_round:
        right.dataframe(pd.DataFrame(by_round), hide_index=True, width="stretch")
    for odd in found.odd:
        st.warning(
            f"{escape(odd.annotator)} differs from the others on {escape(names[odd.class_id])}: on {odd.differs} of "
            f"{odd.n} images, the others among themselves on {odd.others_differ} of {odd.others_n}. "
            "Talk about what the class means.",
            icon=":material/record_voice_over:",
        )


ALPHA = "1 is full agreement, 0 what chance gives. Krippendorff asks for 0.8, and finds less than 0.67 too little."


def _percent(of: Agreement) -> str:
    return f"{of.same / of.n:.0%} ({of.low:.0%} to {of.high:.0%})"


def decide(store: Store, project: Project, disputes: tuple[Dispute, ...], classes: list[ClassInfo]) -> None:
    """The images on which people differ, one at a time; a decision outranks all labels."""
    st.subheader(f"To decide ({len(disputes)})", anchor=False)
    if not disputes:
        st.write("Nobody disagrees on anything that is not decided yet.")
        return
    at = st.session_state.get("dispute", 0) % len(disputes)
    each = disputes[at]
    image = store.image(project.id, each.image_id)
    names = {one.id: one.name for one in classes}
    picture, answers = st.columns([1, 1])
    with picture:
        one_image(image_url(open_workspace().token, image.content_hash, LARGE), "The image to decide")
    with answers:
        me = annotator()
        st.caption(f"You decide as {escape(me)}, the name under which you label.")
        for who, class_id in sorted(each.given.items()):
            st.markdown(f"**{escape(who)}** says {escape(names[class_id])}")
        said = [one for one in classes if one.id in each.given.values() and not one.archived]
        with st.container(horizontal=True):
            for one in said:
                if st.button(one.name, key=f"settle-{image.id}-{one.id}", type="primary"):
                    _settle(store, project, image.id, one, me)
        rest = [one for one in classes if one not in said and not one.archived]
        other = st.selectbox(
            "Or another class", rest, index=None, format_func=lambda one: one.name, key=f"other-{image.id}"
        )
        if other is not None and st.button("Decide so", key=f"settle-{image.id}-other"):
            _settle(store, project, image.id, other, me)
        if len(disputes) > 1 and st.button("Later", key=f"later-{image.id}", icon=":material/skip_next:"):
            st.session_state["dispute"] = at + 1
            st.rerun()


def _settle(store: Store, project: Project, image_id: int, one: ClassInfo, by: str) -> None:
    done = f"Decided: {escape(one.name)}."
    attempt(lambda: people.settle(store, project, image_id, one.id, by), "people-said", done)
