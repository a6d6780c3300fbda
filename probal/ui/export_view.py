"""What the Export page shows: the rows to be written, the download, the exports so far."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from probal.export import ExportRow
from probal.types import ExportRecord
from probal.web.downloads import zip_folder

FORMATS = {"csv": "CSV table", "imagefolder": "A folder per class"}
"""Formats by name, as a person would call them."""
SHOWN = 8


def preview(rows: Sequence[ExportRow]) -> None:
    """Counts per class and the first rows, and what the roles mean."""
    counts = Counter(row.label for row in rows)
    held_out = sum(row.role == "audit" for row in rows)
    st.write(f"**{len(rows):,} labeled images**")
    # as text, not Markdown: a class may be named *.jpg
    st.text(" · ".join(f"{name}: {n:,}" for name, n in counts.most_common()))
    if held_out:
        st.caption(
            f"{held_out:,} of them measure the accuracy and carry the role `audit`: a model that is trained on "
            "them can no longer be measured with them. Flagged and skipped images are not in the export."
        )
    else:
        st.caption(
            "Flagged and skipped images are not in the export; nor are test images, which came with labels."
        )
    table = pd.DataFrame(
        [
            {"File": row.path, "Label": row.label, "Role": row.role, "Labeled by": row.annotator}
            for row in rows[:SHOWN]
        ]
    )
    st.dataframe(table, hide_index=True, width="stretch")
    if len(rows) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(rows):,} rows.")


def offer_download(folder: Path) -> None:
    """A button that hands over the folder as a zip, packed when it is pressed."""

    def pack() -> bytes:
        with tempfile.TemporaryDirectory(prefix="probal-zip-") as scratch:
            return zip_folder(folder, Path(scratch) / "export.zip").read_bytes()

    st.download_button(
        "Download as zip",
        pack,
        f"{folder.name}.zip",
        "application/zip",
        on_click="ignore",
        icon=":material/download:",
    )


def past_exports(exports: Sequence[ExportRecord]) -> None:
    """Where earlier exports lie."""
    if not exports:
        return
    with st.expander(f"Exports so far ({len(exports)})"):
        table = pd.DataFrame(
            [
                {
                    "When": one.created_at,
                    "Labels": one.n,
                    "Formats": ", ".join(one.formats),
                    "Folder": one.path,
                }
                for one in exports
            ]
        )
        columns = {"When": st.column_config.DatetimeColumn(format="distance")}
        st.dataframe(table, hide_index=True, width="stretch", column_config=columns)
