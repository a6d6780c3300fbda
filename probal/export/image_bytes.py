"""The bytes of a labeled image, or why they cannot be had; every format that carries images reads through here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from probal.errors import UserError
from probal.export.base import ExportRow, Progress


class LeftOut(Exception):
    """Why an image is not in an export."""


def read_image(row: ExportRow, image_root: Path) -> bytes:
    """The bytes that were labeled.

    Raises LeftOut where the file is missing, unreadable, outside the root, or no longer the one that was labeled.
    """
    relative = PurePosixPath(row.path)
    if relative.is_absolute() or ".." in relative.parts:
        raise LeftOut("its path leaves the image folder")
    try:
        data = (image_root / relative).read_bytes()
    except FileNotFoundError:
        raise LeftOut("the file is missing") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise LeftOut(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if row.content_hash and hashlib.sha256(data).hexdigest() != row.content_hash:
        raise LeftOut("the file has changed since it was labeled")
    return data


def read_images(
    rows: Sequence[ExportRow],
    image_root: Path,
    skipped: list[tuple[str, str]],
    progress: Progress | None = None,
) -> Iterator[tuple[ExportRow, bytes]]:
    """Rows with their bytes, one at a time; what cannot be read is added to `skipped` as (path, reason)."""
    for done, row in enumerate(rows, 1):
        try:
            data = read_image(row, image_root)
        except LeftOut as reason:
            skipped.append((row.path, str(reason)))
        else:
            yield row, data
        if progress:
            progress(done, len(rows))


def needs_images(image_root: Path | None, format: str) -> Path:
    """The image root; UserError where the project has none."""
    if image_root is None:
        raise UserError(f"this project has vectors and no images: {format} needs images, export csv instead")
    return image_root
