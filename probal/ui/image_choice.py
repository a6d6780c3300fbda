"""Small pictures of known images on a page, and choosing some of them."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from probal.types import ImageInfo
from probal.ui.context import open_workspace
from probal.web.security import image_url

THUMB = 320
STYLE = (
    "<style>.pal-row{display:grid;grid-template-columns:repeat(auto-fill,minmax(88px,1fr));gap:8px;margin:2px 0}"
    ".pal-row figure{margin:0}.pal-row img{width:100%;aspect-ratio:1;object-fit:cover;border-radius:8px;"
    "background:#8882;border:1px solid #8884;display:block}.pal-row img.small{image-rendering:pixelated}"
    ".pal-row figcaption{font-size:.8rem;line-height:1.25;overflow-wrap:anywhere;margin-top:2px}</style>"
)


def row_of_images(hashes: Sequence[str], alt: str, captions: Sequence[str] = ()) -> None:
    """Images in a row that wraps; `alt` says what they have in common."""
    token = open_workspace().token
    sources = [image_url(token, each, THUMB) for each in hashes]
    show_row(sources, [f"{alt} {i}" for i in range(1, len(sources) + 1)], captions)


def show_row(sources: Sequence[str], alts: Sequence[str], captions: Sequence[str] = ()) -> None:
    """Images by their addresses, each with what a screen reader says, and captions where there are some."""
    told = list(captions) or [""] * len(sources)
    figures = [
        f'<figure><img src="{html.escape(source)}" alt="{html.escape(alt)}" loading="lazy">'
        + (f"<figcaption>{html.escape(text)}</figcaption>" if text else "")
        + "</figure>"
        for source, alt, text in zip(sources, alts, told, strict=True)
    ]
    st.html(f"{STYLE}<div class='pal-row'>{''.join(figures)}</div>")


def choose_images(images: Sequence[ImageInfo], key: str) -> list[int]:
    """Images with a box below each; the ids of those ticked."""
    token = open_workspace().token
    chosen = []
    with st.container(horizontal=True, gap="small", key=f"{key}-tiles"):
        for number, image in enumerate(images, start=1):
            with st.container(width=104, gap="small"):
                show_row([image_url(token, image.content_hash, THUMB)], [image.path])
                if st.checkbox(f"Image {number}", key=f"{key}-{image.id}"):
                    chosen.append(image.id)
    return chosen


def one_image(source: str, alt: str) -> None:
    """One image by its address, as large as its column and half the window allow."""
    st.html(
        f'<img src="{html.escape(source)}" alt="{html.escape(alt)}" style="max-width:100%;max-height:50vh;'
        'border-radius:8px;border:1px solid #8884;display:block">'
    )
