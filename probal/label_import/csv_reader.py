"""What people call a CSV: UTF-8, comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from probal.errors import UserError


def csv_reader(file: Path, data: bytes) -> tuple[list[str], csv.DictReader[str]]:
    """The columns and the rows after them; a byte order mark is tolerated. UserError where `data` is not UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8 CSV and try again"
        ) from None
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=header.count))
    columns = [(name or "").strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    return columns, reader
