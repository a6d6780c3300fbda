"""The FiftyOne export as FiftyOne itself reads it, from an environment of its own: it pins its own libraries."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from probal.export import ExportRow, export_labels

PYTHON = os.environ.get("PROBAL_FIFTYONE_PYTHON")
# the importer that fo.Dataset.from_dir uses, and not from_dir: that writes into MongoDB, which may not be there
READ = """
import json, sys
from hashlib import sha256
from pathlib import Path
import fiftyone as fo
importer = fo.types.FiftyOneImageClassificationDataset().get_dataset_importer_cls()(sys.argv[1])
with importer:
    classes = importer.get_dataset_info()["classes"]
    found = [
        (sha256(Path(path).read_bytes()).hexdigest(), label.label, label.annotator, label.content_hash)
        for path, _, label in importer
    ]
print(json.dumps([classes, found]))
"""


@pytest.mark.skipif(PYTHON is None, reason="PROBAL_FIFTYONE_PYTHON names no Python that has FiftyOne")
def test_fiftyone_reads_images_labels_and_attributes(
    rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    export_labels(rows, tmp_path / "out", ["fiftyone"], image_root)
    done = subprocess.run(
        [str(PYTHON), "-c", READ, str(tmp_path / "out" / "fiftyone")],
        env={**os.environ, "HOME": str(tmp_path), "FIFTYONE_DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    classes, found = json.loads(done.stdout.splitlines()[-1])
    assert set(classes) == {row.label for row in rows}
    assert sorted(found) == sorted(
        [row.content_hash, row.label, row.annotator, row.content_hash] for row in rows
    )
