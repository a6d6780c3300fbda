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
from probal.export.records import COLUMNS, record

FILE = "labels.csv"

_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r\n]")


def write(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """Write `labels.csv`; `probal label` reads it back. Images need not be at hand."""
    with (folder / FILE).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            cells = {**record(row), "labeled_at": row.labeled_at.isoformat() if row.labeled_at else None}
            writer.writerow(
                [neutralize(cell) if isinstance(cell, str) else cell for cell in cells.values()]
            )  # None is an empty cell
    return Written((FILE,), len(rows))


def neutralize(text: str) -> str:
    """`text` as a cell that no spreadsheet calculates."""
    return f"'{text}" if _FORMULA.match(text) else text


def restore(cell: str) -> str:
    """The text that `neutralize` made `cell` of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
