"""FiftyOne: `fiftyone/data/<file>` and `fiftyone/labels.json`, its `FiftyOneImageClassificationDataset`.

Read with `fo.Dataset.from_dir(dataset_dir=…, dataset_type=fo.types.FiftyOneImageClassificationDataset)`. In
labels.json the key of an image is its file name without suffix, so stems are unique; its target is a position in
`classes`, and what else is known of the label stands under `attributes`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from probal.export.base import ExportRow, Progress, Written
from probal.export.image_bytes import needs_images, read_images
from probal.export.names import NamesTaken, safe_name
from probal.export.records import printable

FOLDER = "fiftyone"


def write(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """Copy the images and write labels.json; images that cannot be read are left out."""
    root = needs_images(image_root, "fiftyone")
    names = {row.class_id: row.label for row in rows}
    position = {class_id: i for i, class_id in enumerate(sorted(names))}
    data = folder / FOLDER / "data"
    data.mkdir(parents=True)
    taken = NamesTaken()
    labels: dict[str, object] = {}
    skipped: list[tuple[str, str]] = []
    for row, image in read_images(rows, root, skipped, progress):
        path = PurePosixPath(safe_name(PurePosixPath(row.path).name, "image"))
        # the stem is the key: two files that differ in the suffix alone would be one
        stem = taken.add(path.stem.replace(".", "_"), mark=row.content_hash[:8])
        (data / f"{stem}{path.suffix}").write_bytes(image)
        labels[stem] = {
            "label": position[row.class_id],
            "attributes": {
                "path": printable(row.path),
                "content_hash": row.content_hash,
                "annotator": printable(row.annotator),
                "role": row.role,
            },
        }
    found = {"classes": [names[each] for each in position], "labels": labels}
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    (folder / FOLDER / "labels.json").write_text(text, encoding="utf-8")
    return Written((f"{FOLDER}/",), len(rows) - len(skipped), tuple(skipped))
