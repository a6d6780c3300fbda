"""Reading a CSV of images and captions."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from probal.errors import UserError
from probal.label_import.csv_reader import csv_reader


@dataclass(frozen=True)
class Caption:
    """A line of the user's file: an image of the project by its path there, or any image file."""

    path: str
    text: str
    folder: Path
    """What `path` may be relative to, besides the project's own folder."""


def read_pairs_file(file: Path) -> list[Caption]:
    """The rows of a UTF-8 CSV (comma, semicolon, tab) with the columns `path` and `caption`.

    A path is relative to the project's images or to the file's own folder. Rows without a caption are left out.
    Raises UserError for a file that is not there, not UTF-8, without those columns, or without one caption.
    """
    if not file.is_file():
        raise UserError(f"no pairs file at {file}: give a CSV with the columns path,caption")
    columns, reader = csv_reader(file, file.read_bytes())
    if not {"path", "caption"} <= set(columns):
        raise UserError(
            f"{file} has the columns {', '.join(columns) or 'of an empty file'}: expected path and caption"
        )
    try:
        rows = [((row["path"] or "").strip(), (row["caption"] or "").strip()) for row in reader]
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}, is no CSV: {error}") from None
    captions = [Caption(path, caption, file.absolute().parent) for path, caption in rows if path and caption]
    if not captions:
        raise UserError(f"{file} holds no caption: every row needs a path and a caption")
    return captions
