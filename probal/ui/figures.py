"""How a figure stands on a page: with its picture to save and its numbers to download."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from probal.export.csv_file import neutralize

_FORMAT = "picture_format"


def choose_picture_format() -> None:
    """Whether the camera on each figure saves PNG or SVG; kept for the session."""
    st.segmented_control(
        "Save pictures as",
        ["SVG", "PNG"],
        default=None if _FORMAT in st.session_state else "SVG",
        key=_FORMAT,
        required=True,
        help="The camera at the corner of a figure saves it; the button below it saves its numbers.",
    )


def show(figure: go.Figure, table: pd.DataFrame, name: str, alt: str) -> None:
    """The figure, its camera, and a button for its numbers as `<name>.csv`; `alt` tells it in a sentence."""
    st.plotly_chart(
        figure,
        key=f"figure {name}",
        alt=alt,
        config={
            "displaylogo": False,
            "displayModeBar": True,
            "modeBarButtons": [["toImage"]],
            "toImageButtonOptions": {
                "format": str(st.session_state.get(_FORMAT, "SVG")).lower(),
                "filename": name,
                "scale": 2,
            },
        },
    )
    st.download_button(
        "Numbers (CSV)",
        csv_of(table),
        f"{name}.csv",
        "text/csv",
        key=f"numbers {name}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def csv_of(table: pd.DataFrame) -> str:
    """The table as CSV, no cell of which a spreadsheet would run."""
    text = table.select_dtypes(exclude="number").columns
    safe = table.assign(
        **{each: [neutralize(v) if isinstance(v, str) else v for v in table[each]] for each in text}
    )
    return str(safe.to_csv(index=False, lineterminator="\n"))
