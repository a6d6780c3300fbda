"""Own vectors as the images of a pool: with the files that they were made of, or without any."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from probal.encoders.vectors import VectorTable
from probal.errors import UserError
from probal.pool._progress import ProgressCallback
from probal.pool.decode import IMAGE_SUFFIXES
from probal.pool.scan import mark_duplicates, scan_folder
from probal.types import ImageState, ScannedImage

_SHOWN = 3


def with_paths(table: VectorTable, root: Path) -> VectorTable:
    """The table with names as paths relative to `root`; UserError where a name is no image file below it."""
    if not table.named:
        raise UserError(
            f"the vectors do not say which image of {root} each belongs to: add an array or column `path`, "
            "or leave --images out"
        )
    paths = [_relative(name, root) for name in table.names]
    missing = [
        name
        for name, path in zip(table.names, paths, strict=True)
        if path is None or not (root / path).is_file()
    ]
    if missing:
        more = ", …" if len(missing) > _SHOWN else ""
        raise UserError(
            f"{len(missing)} of {len(paths)} images named in the vectors are not in {root}: "
            f"{', '.join(missing[:_SHOWN])}{more}"
        )
    found = [path for path in paths if path is not None]
    strange = next((path for path in found if PurePosixPath(path).suffix.lower() not in IMAGE_SUFFIXES), None)
    if strange is not None:
        raise UserError(f"the vectors name {strange}, which is not an image file such as .jpg or .png")
    twice, times = Counter(found).most_common(1)[0]
    if times > 1:
        raise UserError(f"the vectors name the image {twice} twice: give each image one vector")
    return replace(table, names=tuple(found))


def scan_vectors(
    table: VectorTable,
    root: Path | None,
    known: Mapping[str, ScannedImage] | None = None,
    progress: ProgressCallback | None = None,
) -> list[ScannedImage]:
    """One item a vector, in the order of the rows.

    Without a folder an item's content is its vector: the hash is that of the table and the row, and equal vectors
    are duplicates. With a folder it is the file, as `scan_folder` sees it, and files without a vector are left out.
    """
    if root is not None:
        by_path = {image.path: image for image in scan_folder(root, known, progress)}
        images = [by_path[name] for name in table.names if name in by_path]
        # a named file may be the copy of one that has no vector
        return mark_duplicates(
            [
                replace(image, state=ImageState.OK, reason=None)
                if image.state is ImageState.DUPLICATE
                else image
                for image in images
            ]
        )
    salt = bytes.fromhex(table.fingerprint)
    scanned = [
        ScannedImage(
            name, hashlib.sha256(salt + row.tobytes()).hexdigest(), 0, 0, row.nbytes, 0, ImageState.OK
        )
        for name, row in zip(table.names, table.x, strict=True)
    ]
    return mark_duplicates(scanned, "same vector as")


def _relative(name: str, root: Path) -> str | None:
    """`name` below `root` with forward slashes; None where it lies elsewhere."""
    path = Path(name.replace("\\", "/"))
    if path.is_absolute():
        if not path.is_relative_to(root):
            return None
        path = path.relative_to(root)
    return None if ".." in path.parts else path.as_posix()
