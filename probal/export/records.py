"""A row as plain columns, the same in every table format, and the formats that are one line or row per label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from probal.export.base import ExportRow, Progress, Written

JSONL, PARQUET = "labels.jsonl", "labels.parquet"
COLUMNS = (
    *("path", "content_hash", "label", "class_id", "annotator", "role", "round", "labeled_at"),
    *("given", "annotators", "agreement", "predicted", "probability"),
)


def record(row: ExportRow) -> dict[str, Any]:
    """The columns of one label; text that is no UTF-8 (a file name can be any bytes) shows its bytes."""
    values: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    return {name: printable(value) if isinstance(value, str) else value for name, value in values.items()}


def printable(text: str) -> str:
    """`text` with what UTF-8 cannot hold spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_jsonl(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """`labels.jsonl`: one JSON object a line, UTF-8, times as ISO 8601. Images need not be at hand."""
    with (folder / JSONL).open("w", encoding="utf-8", newline="\n") as handle:
        for row in rows:
            fields = record(row)
            fields["labeled_at"] = row.labeled_at.isoformat() if row.labeled_at else None
            handle.write(json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n")
    return Written((JSONL,), len(rows))


def write_parquet(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """`labels.parquet`, with types: integers, a UTC timestamp, nulls. Images need not be at hand."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, integer, number = pa.string(), pa.int64(), pa.float64()
    types = {
        **dict.fromkeys(COLUMNS, text),
        **dict.fromkeys(("class_id", "round", "annotators"), integer),
        **dict.fromkeys(("agreement", "probability"), number),
        "labeled_at": pa.timestamp("us", "UTC"),
    }
    table = pa.Table.from_pylist([record(row) for row in rows], pa.schema(list(types.items())))
    pq.write_table(table, folder / PARQUET)
    return Written((PARQUET,), len(rows))
