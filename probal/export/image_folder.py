"""ImageFolder: `images/<class>/<file>`, as torchvision, timm, Keras and fastai read it, and `classes.json`.

Folder and file names are made safe for Windows, macOS and Linux; `classes.json` gives the class of each
folder. Copies are the rule: a link lets a tool that edits the export write to the user's own image, so links are
made only where they are asked for by name.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from probal.export.base import ExportRow, Progress, Written
from probal.export.image_bytes import needs_images, read_images
from probal.export.names import NamesTaken, safe_name

FOLDER, MAPPING = "images", "classes.json"
ARCHIVE = "imagefolder.zip"
LINKED = "imagefolder-linked"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Of every file in the archive, so that equal labels make equal bytes."""

Put = Callable[[str, ExportRow, bytes], None]
"""Receives the place of an image relative to the export, its row and its bytes."""


def write(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """Copy every image below the folder of its class.

    An image that is missing, unreadable, outside the root or no longer the one that was labeled (its hash
    differs) is left out with the reason. Raises UserError where there is no image root.
    """
    root = needs_images(image_root, "imagefolder")
    mapping, skipped = _place(rows, root, progress, lambda name, row, data: _save(folder / name, data))
    (folder / FOLDER).mkdir(exist_ok=True)
    (folder / MAPPING).write_text(mapping, encoding="utf-8")
    return Written((f"{FOLDER}/", MAPPING), len(rows) - len(skipped), skipped)


def write_zip(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """The same tree in one archive, `imagefolder.zip`; images are stored, being compressed already."""
    root = needs_images(image_root, "imagefolder-zip")
    with zipfile.ZipFile(folder / ARCHIVE, "w") as archive:
        mapping, skipped = _place(
            rows, root, progress, lambda name, row, data: archive.writestr(_entry(name), data)
        )
        archive.writestr(_entry(MAPPING), mapping)
    return Written((ARCHIVE,), len(rows) - len(skipped), skipped)


def write_links(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """The same tree in `imagefolder-linked/`, its images symbolic links to the pool's: no copy, same machine."""
    root = needs_images(image_root, "imagefolder-link").resolve()
    base = folder / LINKED

    def link(name: str, row: ExportRow, data: bytes) -> None:
        target = base / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(root / row.path)

    (base / FOLDER).mkdir(parents=True)
    mapping, skipped = _place(rows, root, progress, link)
    (base / MAPPING).write_text(mapping, encoding="utf-8")
    return Written((f"{LINKED}/",), len(rows) - len(skipped), skipped)


def _place(
    rows: Sequence[ExportRow], root: Path, progress: Progress | None, put: Put
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Hand every readable image to `put` with its place; the text of classes.json, and what was left out."""
    names = {row.class_id: row.label for row in rows}
    taken = NamesTaken()
    folders = {class_id: taken.add(safe_name(names[class_id], "class")) for class_id in sorted(names)}
    files = {class_id: NamesTaken() for class_id in folders}
    skipped: list[tuple[str, str]] = []
    for row, data in read_images(rows, root, skipped, progress):
        name = safe_name(PurePosixPath(row.path).name, "image")
        file = files[row.class_id].add(name, mark=row.content_hash[:8])
        put(f"{FOLDER}/{folders[row.class_id]}/{file}", row, data)
    classes = [
        {"folder": folders[class_id], "class_id": class_id, "name": names[class_id]} for class_id in folders
    ]
    return json.dumps({"classes": classes}, ensure_ascii=False, indent=2) + "\n", tuple(skipped)


def _save(file: Path, data: bytes) -> None:
    file.parent.mkdir(
        parents=True, exist_ok=True
    )  # only classes with an image: an empty one is an error there
    file.write_bytes(data)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    return entry
