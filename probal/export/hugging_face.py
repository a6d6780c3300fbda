"""Hugging Face `datasets`: a folder for `load_dataset`, images inside the Parquet files, labels as `ClassLabel`.

The features stand in the Parquet schema under the key `huggingface`, where `datasets` itself writes them; README.md
is the dataset card, whose head names the splits' files. Pool images are the split `train`, audit images `test`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from probal.export.base import ExportRow, Progress, Written
from probal.export.image_bytes import needs_images, read_images
from probal.export.records import printable

FOLDER = "hf"
SPLITS = {"pool": "train", "audit": "test"}
_ROWS_AT_ONCE = 100
"""Images per row group: what a writer, and later a reader, holds in memory."""

_CARD = """---
task_categories:
- image-classification
configs:
- config_name: default
  data_files:
{files}---

# {count} labeled images

Labeled with ProbAL. `label` is one of {classes} classes (`dataset.features["label"].names`), `path` the image's place
in the labeled folder, `content_hash` the sha256 of its bytes.

`test` holds the images that were drawn at random to measure the accuracy; whoever trains on them has nothing unbiased
left to measure with. `train` holds the others, which a strategy chose: they are no random sample.

```python
from datasets import load_dataset

dataset = load_dataset("path/to/this/folder")
```
"""


def write(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """Write `hf/`; images that cannot be read are left out. Raises UserError where there is no image root."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    root = needs_images(image_root, "hf")
    names = {row.class_id: row.label for row in rows}
    position = {class_id: i for i, class_id in enumerate(sorted(names))}
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
            ("path", pa.string()),
            ("content_hash", pa.string()),
        ],
        {"huggingface": json.dumps({"info": {"features": _features([names[each] for each in position])}})},
    )
    data = folder / FOLDER / "data"
    data.mkdir(parents=True)
    writers: dict[str, pq.ParquetWriter] = {}
    waiting: dict[str, list[dict[str, object]]] = {}
    skipped: list[tuple[str, str]] = []

    def flush(split: str) -> None:
        if split not in writers:
            writers[split] = pq.ParquetWriter(data / f"{split}-00000-of-00001.parquet", schema)
        writers[split].write_table(pa.Table.from_pylist(waiting.pop(split), schema))

    try:
        for row, image in read_images(rows, root, skipped, progress):
            split = SPLITS.get(row.role, row.role)
            entry: dict[str, object] = {
                "image": {"bytes": image, "path": printable(PurePosixPath(row.path).name)},
                "label": position[row.class_id],
                "path": printable(row.path),
                "content_hash": row.content_hash,
            }
            waiting.setdefault(split, []).append(entry)
            if len(waiting[split]) == _ROWS_AT_ONCE:
                flush(split)
        for split in list(waiting):
            flush(split)
    finally:
        for writer in writers.values():
            writer.close()
    count = len(rows) - len(skipped)
    files = "".join(
        f"  - split: {split}\n    path: data/{split}-*\n" for split in sorted(writers, reverse=True)
    )
    card = _CARD.format(files=files, count=f"{count:,}", classes=len(names))
    (folder / FOLDER / "README.md").write_text(card, encoding="utf-8")
    return Written((f"{FOLDER}/",), count, tuple(skipped))


def _features(classes: Sequence[str]) -> dict[str, object]:
    text = {"dtype": "string", "_type": "Value"}
    return {
        "image": {"_type": "Image"},
        "label": {"names": [printable(name) for name in classes], "_type": "ClassLabel"},
        "path": text,
        "content_hash": text,
    }
