"""Thumbnails with captions, of which any number can be chosen; Explore's way of showing images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from probal.explore import Catalog
from probal.explore.catalog import NONE
from probal.types import ClassInfo
from probal.ui.context import open_workspace
from probal.web.security import image_url

THUMB = 320
_SMALL = 64
"""Pixels up to which an image is drawn with sharp edges."""
_HERE = Path(__file__)
# not isolated, so that the theme's colours and the tests' selectors reach the tiles
_component = st.components.v2.component(
    "probal_tiles",
    css=_HERE.with_suffix(".css").read_text("utf-8"),
    js=_HERE.with_suffix(".js").read_text("utf-8"),
    isolate_styles=False,
)


def tiles(
    catalog: Catalog, rows: Sequence[int], classes: Sequence[ClassInfo], key: str, label: str = "Images"
) -> list[int]:
    """Show these rows of the catalog; the image ids of those that are chosen, in no order.

    `label` is what a screen reader calls the list.
    """
    token = open_workspace().token
    names = {each.id: each.name for each in classes}
    shown = [
        {
            "id": int(catalog.ids[i]),
            "url": image_url(token, catalog.images[i].content_hash, THUMB),
            "name": catalog.images[i].path,
            "caption": caption(catalog, i, names),
            "small": max(catalog.images[i].width, catalog.images[i].height) <= _SMALL,
        }
        for i in rows
    ]
    epoch = st.session_state.get(f"{key}-epoch", 0)
    data = {"tiles": shown, "label": label, "epoch": epoch}
    chosen = _component(key=key, data=data, on_chosen_change=lambda: None).chosen
    if not chosen or chosen["epoch"] != epoch:
        return []
    here = {each["id"] for each in shown}
    return [image_id for image_id in chosen["ids"] if image_id in here]


def clear(key: str) -> None:
    """Choose none of the tiles of that key any more."""
    st.session_state[f"{key}-epoch"] = st.session_state.get(f"{key}-epoch", 0) + 1


def caption(catalog: Catalog, row: int, names: dict[int, str]) -> str:
    """What is known of an image in two words: its label, else the prediction with its probability."""
    if catalog.label[row] != NONE:
        return f"✓ {names.get(int(catalog.label[row]), 'archived class')}"
    if catalog.flagged[row]:
        return "flagged"
    if catalog.predicted[row] != NONE:
        return f"{names.get(int(catalog.predicted[row]), 'archived class')}: {catalog.p[row, 0]:.0%}"
    return ""
