"""A small folder of images with every awkward name, and its labels."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from probal.export import ExportRow

LABELS = {
    "cat.png": "cat",
    "indoor/cat.png": "cat",
    "indoor/CAT.PNG": "cat",
    "=1+1.png": "a/b",
    '@home, "quoted"\nline.png': "a:b",
    "été/ä.jpg": "Été 夏",
    "con.png": "CON",
    ".hidden.png": "..",
}


@pytest.fixture
def image_root(tmp_path: Path) -> Path:
    root = tmp_path / "pool"
    for shade, path in enumerate(LABELS):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), (20 * shade, 0, 0)).save(file, "PNG")
    return root


@pytest.fixture
def rows(image_root: Path) -> list[ExportRow]:
    class_ids = {name: 10 + i for i, name in enumerate(dict.fromkeys(LABELS.values()))}
    return [
        ExportRow(
            path=path,
            content_hash=hashlib.sha256((image_root / path).read_bytes()).hexdigest(),
            label=label,
            class_id=class_ids[label],
            annotator="ann",
            round=i if i % 2 else None,
            role="pool" if i % 2 else "audit",
            labeled_at=datetime(2026, 1, 2, 3, 4, i, tzinfo=UTC),
        )
        for i, (path, label) in enumerate(LABELS.items())
    ]
