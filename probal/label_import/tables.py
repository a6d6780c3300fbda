"""Labels in tables: CSV, JSON lines, Parquet, the last also as Hugging Face writes it, images inside."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from probal.errors import UserError
from probal.export.csv_file import restore
from probal.label_import.csv_reader import csv_reader
from probal.label_import.rows import LabelsFile, Row, collect

_IMAGE = ("path", "file", "id", "file_name", "image")
"""Columns that may name the image, the first that is there."""
_LABEL = "label"
_EXPECTED = "expected path (or file, id, content_hash) and label"


def read_labels_file(file: Path) -> LabelsFile:
    """The rows of a UTF-8 CSV (comma, semicolon, tab; BOM tolerated): `path` or `content_hash`, and `label`.

    Raises UserError for a file that is not there, not UTF-8, without those columns, or without one label.
    """
    if not file.is_file():
        raise UserError(f"no labels file at {file}: give a CSV with the columns path,label")
    data = file.read_bytes()
    columns, reader = csv_reader(file, data)
    _check_columns(file, columns)
    try:
        rows = [_row(cells, f"line {reader.line_num}") for cells in reader if any(cells.values())]
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}, is no CSV: {error}") from None
    if not any(row.label for row in rows):
        raise UserError(f"{file} holds no label: every row needs a class name in the column label")
    return collect(rows, "CSV", file, hashlib.sha256(data).hexdigest())


def read_json_lines(file: Path) -> LabelsFile:
    """One JSON object a line, with the same names as a CSV's columns."""

    def rows() -> Iterator[Row]:
        for number, line in enumerate(file.read_bytes().splitlines(), 1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise UserError(f"{file}, line {number}, is no JSON: {error}") from None
            if not isinstance(fields, dict):
                raise UserError(f"{file}, line {number}, is no JSON object; {_EXPECTED}")
            _check_columns(f"{file}, line {number},", list(fields))
            yield _row(fields, f"line {number}")

    return collect(rows(), "JSON lines", file)


def read_parquet(files: Sequence[Path], source: Path) -> LabelsFile:
    """Parquet files with the same columns; or as `datasets` writes them, with an `image` and a `ClassLabel`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def rows() -> Iterator[Row]:
        for file in files:
            try:
                table = pq.ParquetFile(file)
                _check_columns(file, table.schema_arrow.names)
                names = _class_names(table.schema_arrow.metadata)
                columns = [each for each in table.schema_arrow.names if each in _READ]
                number = 0
                for batch in table.iter_batches(100, columns=columns):
                    for fields in batch.to_pylist():
                        number += 1
                        if names is not None and fields[_LABEL] is not None:
                            # -1 is how datasets writes that there is no label
                            fields[_LABEL] = names[fields[_LABEL]] if fields[_LABEL] >= 0 else ""
                        yield _row(fields, f"{file.name} row {number}")
            except (pa.ArrowInvalid, IndexError) as error:
                raise UserError(f"{file} cannot be read as a Parquet file of labels: {error}") from None

    return collect(rows(), "Parquet", source)


_READ = {*_IMAGE, _LABEL, "content_hash", "annotator", "source"}


def _check_columns(what: object, columns: Sequence[str]) -> None:
    if _LABEL not in columns or not {"content_hash", *_IMAGE} & set(columns):
        found = f"has the columns {', '.join(columns)}" if columns else "is an empty file"
        raise UserError(f"{what} {found}: {_EXPECTED}")


def _row(fields: Mapping[str, Any], where: str) -> Row:
    image: Any = next((fields[name] for name in _IMAGE if fields.get(name) is not None), "")
    digest = fields.get("content_hash") or ""
    if digest:
        image = ""  # what was labeled is this content, whatever lies at the path by now
    if isinstance(image, Mapping):  # datasets: bytes, and the name the file had
        digest = digest or (hashlib.sha256(image["bytes"]).hexdigest() if image.get("bytes") else "")
        image = image.get("path") or ""
    # what the model labeled under a promise of precision (probal finish) is no answer of a person
    label = fields.get(_LABEL) if fields.get("source") != "model" else None
    return Row(
        where,
        restore(str(image).strip()),
        "" if label is None else restore(str(label).strip()),
        str(digest).strip().lower(),
        restore(str(fields.get("annotator") or "").strip()),
    )


def _class_names(metadata: Mapping[bytes, bytes] | None) -> list[str] | None:
    """Names of the ClassLabel `label` in a schema that datasets wrote; None for a plain table."""
    info = json.loads((metadata or {}).get(b"huggingface", b"{}")).get("info") or {}
    return ((info.get("features") or {}).get(_LABEL) or {}).get("names")
