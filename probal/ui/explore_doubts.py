"""Explore's view of doubtful labels: one click keeps or changes each."""

from __future__ import annotations

import html

import streamlit as st

from probal.explore import Catalog
from probal.explore.actions import keep
from probal.explore.catalog import NONE
from probal.explore.doubts import Doubt, latest_check
from probal.types import ClassInfo, ImageInfo, JobKind, Project
from probal.ui.context import empty_state, open_workspace
from probal.ui.explore_state import ask_button, label_images, last_done, remember
from probal.web.security import image_url

PAGE = 12
FEWEST = 10
"""Labels below which a check has nothing to compare with."""


def doubts_view(project: Project, catalog: Catalog, classes: list[ClassInfo]) -> None:
    """The labels that the latest check doubts, the most doubtful first."""
    workspace = open_workspace()
    n = int((catalog.label != NONE).sum())
    if n < FEWEST:
        empty_state(
            "Too few labels", f"{n} images of the pool are labeled; a check is worth it from {FEWEST} on."
        )
        if st.button("Label", type="primary", icon=":material/keyboard:"):
            st.switch_page("label.py", query_params={"project": project.name})
        return
    check = latest_check(workspace, project)
    if check is None:
        empty_state(
            "Not checked yet",
            "A model is fitted on four fifths of the labels and asked about the last fifth, five times over. Labels "
            "that it holds unlikely (confident learning) are shown here, for you to keep or change.",
        )
        ask_button(project, JobKind.CHECK, "Check the labels")
        return
    last_done(project)
    since = workspace.store.watermark(project.id) > check.watermark
    if not check.doubts:
        empty_state(
            "No doubtful label", "Nothing is left of the latest check. Check again after more labels."
        )
    else:
        st.write(
            f"{len(check.doubts):,} labels that a model fitted without them holds unlikely, the most doubtful first. "
            "It may be wrong: such images are often the hard ones."
        )
    if since or not check.doubts:
        ask_button(project, JobKind.CHECK, "Check again", primary=False)
    images = {image.id: image for image in catalog.images}
    columns = st.columns(3)
    for i, doubt in enumerate(each for each in check.doubts[:PAGE] if each.image_id in images):
        with columns[i % 3], st.container(border=True):
            _card(project, images[doubt.image_id], doubt, classes)
    if len(check.doubts) > PAGE:
        st.caption(f"{len(check.doubts) - PAGE:,} more follow when these are done.")


def _card(project: Project, image: ImageInfo, doubt: Doubt, classes: list[ClassInfo]) -> None:
    names = {each.id: each.name for each in classes}
    now, better = (
        names.get(doubt.class_id, "an archived class"),
        names.get(doubt.suggested, "an archived class"),
    )
    url = image_url(open_workspace().token, image.content_hash, 320)
    sharp = "image-rendering:pixelated;" if max(image.width, image.height) <= 64 else ""
    st.html(
        f'<img src="{url}" alt="{html.escape(image.path)}" title="{html.escape(image.path)}" loading="lazy" '
        f'style="{sharp}width:100%;aspect-ratio:4/3;object-fit:contain;border-radius:6px;background:#8882">'
    )
    st.text(f"Labeled {now}. The model says {better}, and gives {now} {doubt.p:.0%}.")
    key = f"explore-doubt-{image.id}"
    with st.container(horizontal=True):
        st.button(
            f"Change to {_plain(better)}",
            key=f"{key}-change",
            disabled=doubt.suggested not in names,
            on_click=label_images,
            args=(project, [image.id], doubt.suggested, True, key),
        )
        st.button(f"Keep {_plain(now)}", key=f"{key}-keep", on_click=_keep, args=(project, image, doubt, now))


def _keep(project: Project, image: ImageInfo, doubt: Doubt, name: str) -> None:
    keep(open_workspace().store, project, image.id, doubt.class_id)
    remember(project, f"{image.path} stays {name}.", ())


def _plain(name: str) -> str:
    """A button reads Markdown; a class name is not to be read so."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]()#+-.!|~$:" else char for char in name)
