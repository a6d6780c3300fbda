"""CSV: `labels.csv`, one row per label, UTF-8, safe to open in a spreadsheet.

A cell that starts with a character that makes a spreadsheet calculate (= + - @, their full-width forms, tab,
line breaks) gets an apostrophe in front, which spreadsheets do not show (OWASP, "CSV injection"). A cell that
already reads like that gets one more, so `restore` gives back every text exactly.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from probal.export.base import ExportRow, Progress, Written

FILE = "labels.csv"
COLUMNS = ("path", "content_hash", "label", "class_id", "annotator", "role", "round", "labeled_at")

_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r\n]")


def write(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """Write `labels.csv`; `probal label` reads it back. Images need not be at hand."""
    with (folder / FILE).open("w", encoding="utf-8", errors="backslashreplace", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            stamp = row.labeled_at.isoformat() if row.labeled_at else ""
            place = "" if row.round is None else row.round
            cells = (
                row.path,
                row.content_hash,
                row.label,
                row.class_id,
                row.annotator,
                row.role,
                place,
                stamp,
            )
            writer.writerow([neutralize(cell) if isinstance(cell, str) else cell for cell in cells])
    return Written((FILE,), len(rows))


def neutralize(text: str) -> str:
    """`text` as a cell that no spreadsheet calculates."""
    return f"'{text}" if _FORMULA.match(text) else text


def restore(cell: str) -> str:
    """The text that `neutralize` made `cell` of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
