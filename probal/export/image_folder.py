"""ImageFolder: `images/<class>/<file>`, as torchvision, timm, Keras and fastai read it, and `classes.json`.

Folder and file names are made safe for Windows, macOS and Linux; `classes.json` gives the class of each
folder. Images are copied, never linked: a link would let a tool that edits the copy write to the user's image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from probal.errors import UserError
from probal.export.base import ExportRow, Progress, Written
from probal.export.names import NamesTaken, safe_name

FOLDER, MAPPING = "images", "classes.json"


def write(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """Copy every image below the folder of its class.

    An image that is missing, unreadable, outside the root or no longer the one that was labeled (its hash
    differs) is left out with the reason. Raises UserError where there is no image root.
    """
    if image_root is None:
        raise UserError(
            "this project has vectors and no images: imagefolder needs images, export csv instead"
        )
    names = {row.class_id: row.label for row in rows}
    taken = NamesTaken()
    folders = {class_id: taken.add(safe_name(names[class_id], "class")) for class_id in sorted(names)}
    files = {class_id: NamesTaken() for class_id in folders}
    skipped: list[tuple[str, str]] = []
    for done, row in enumerate(rows, 1):
        try:
            data = _read(row, image_root)
        except _LeftOut as reason:
            skipped.append((row.path, str(reason)))
        else:
            target = folder / FOLDER / folders[row.class_id]
            target.mkdir(
                parents=True, exist_ok=True
            )  # only classes with an image: an empty one is an error there
            name = safe_name(PurePosixPath(row.path).name, "image")
            (target / files[row.class_id].add(name, mark=row.content_hash[:8])).write_bytes(data)
        if progress:
            progress(done, len(rows))
    (folder / FOLDER).mkdir(exist_ok=True)
    classes = [
        {"folder": folders[class_id], "class_id": class_id, "name": names[class_id]} for class_id in folders
    ]
    (folder / MAPPING).write_text(
        json.dumps({"classes": classes}, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    return Written((f"{FOLDER}/", MAPPING), len(rows) - len(skipped), tuple(skipped))


class _LeftOut(Exception):
    """Why an image is not copied."""


def _read(row: ExportRow, image_root: Path) -> bytes:
    relative = PurePosixPath(row.path)
    if relative.is_absolute() or ".." in relative.parts:
        raise _LeftOut("its path leaves the image folder")
    try:
        data = (image_root / relative).read_bytes()
    except FileNotFoundError:
        raise _LeftOut("the file is missing") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise _LeftOut(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if row.content_hash and hashlib.sha256(data).hexdigest() != row.content_hash:
        raise _LeftOut("the file has changed since it was labeled")
    return data
