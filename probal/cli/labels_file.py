"""Reading `labels.csv`: all of it makes sense, or nothing of it is taken."""

from __future__ import annotations

import csv
import hashlib
import io
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from probal.errors import UserError
from probal.types import ClassInfo, Event, EventKind, ImageInfo, ImageState, Role

SHOWN = 5
"""Offenders named in a message; of the rest only their number is told."""

_NAMESPACE = uuid.UUID("6f0f5b64-6a0d-5b0e-9d6c-3f6a1f0c7f11")


@dataclass(frozen=True)
class Row:
    """One line of the file that carries a label."""

    line: int
    image: str
    """As written: a path, a file name or a content hash."""
    label: str


@dataclass(frozen=True)
class LabelsFile:
    rows: tuple[Row, ...]
    by_hash: bool
    """The column was `content_hash`, else `path`."""
    digest: str
    """sha256 of the file's bytes."""
    unlabeled: int
    """Lines whose label was empty; they are left out."""


def read_labels_file(file: Path) -> LabelsFile:
    """The rows of a UTF-8 CSV (comma, semicolon, tab; BOM tolerated): `path` or `content_hash`, and `label`.

    Raises UserError for a file that is not there, not UTF-8, without those columns, or without one label.
    """
    if not file.is_file():
        raise UserError(f"no labels file at {file}: give a CSV with the columns path,label")
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8 CSV and try again"
        ) from None
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=header.count))
    columns = [(name or "").strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    key = next((name for name in ("content_hash", "path", "file", "id") if name in columns), None)
    if key is None or "label" not in columns:
        raise UserError(
            f"{file} has the columns {', '.join(columns) or 'of an empty file'}: "
            "expected path (or file, id, content_hash) and label"
        )
    try:
        pairs = [
            Row(reader.line_num, (row[key] or "").strip(), (row["label"] or "").strip())
            for row in reader
            if any(row.values())
        ]
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}, is no CSV: {error}") from None
    rows = tuple(row for row in pairs if row.label)
    if not rows:
        raise UserError(f"{file} holds no label: every row needs a class name in the column label")
    return LabelsFile(rows, key == "content_hash", hashlib.sha256(data).hexdigest(), len(pairs) - len(rows))


def resolve(
    file: LabelsFile, images: Sequence[ImageInfo], classes: Sequence[ClassInfo], root: Path
) -> dict[int, int]:
    """Image id to class id for every row.

    Raises UserError that tells of all rows at once: unknown images, unknown classes, images named twice with
    different classes, and images that take no label (unreadable, or of the test split).
    """
    class_ids = {info.name.casefold(): info.id for info in classes}
    find = _Finder(images, root, file.by_hash)
    unknown_images, unusable, unknown_classes, torn = [], [], [], []
    labels: dict[int, int] = {}
    for row in file.rows:
        found = find(row.image)
        class_id = class_ids.get(row.label.casefold())
        if class_id is None and row.label not in unknown_classes:
            unknown_classes.append(row.label)
        if isinstance(found, str):
            unknown_images.append(f"{row.image or '(empty)'} (line {row.line}{found})")
        elif found.state is not ImageState.OK or found.role is Role.TEST:
            why = "test split" if found.role is Role.TEST else str(found.state)
            unusable.append(f"{row.image} (line {row.line}: {why})")
        elif class_id is not None and labels.setdefault(found.id, class_id) != class_id:
            torn.append(f"{row.image} (line {row.line})")
    problems = [
        *_told("unknown class", "unknown classes", unknown_classes),
        *_told("unknown image", "unknown images", unknown_images),
        *_told("image that takes no label", "images that take no label", unusable),
        *_told("image with two different labels", "images with two different labels", torn),
    ]
    if problems:
        known = ", ".join(info.name for info in classes)
        hint = f" (the classes are {known})" if unknown_classes else ""
        raise UserError(f"nothing was stored: {'; '.join(problems)}{hint}")
    return labels


def label_events(
    project: str, labels: dict[int, int], images: Iterable[ImageInfo], digest: str, annotator: str
) -> list[Event]:
    """One label event per image, its id made of project, image, class and file: a second run adds none."""
    hashes = {image.id: image.content_hash for image in images}
    return [
        Event(
            event_id=str(uuid.uuid5(_NAMESPACE, f"{project}/{hashes[image_id]}/{class_id}/{digest}")),
            kind=EventKind.LABEL,
            annotator=annotator,
            seq=seq,
            image_id=image_id,
            class_id=class_id,
        )
        for seq, (image_id, class_id) in enumerate(labels.items())
    ]


def _told(one: str, many: str, offenders: Sequence[str]) -> list[str]:
    if not offenders:
        return []
    more = f" and {len(offenders) - SHOWN} more" if len(offenders) > SHOWN else ""
    return [f"{len(offenders)} {one if len(offenders) == 1 else many}: {', '.join(offenders[:SHOWN])}{more}"]


class _Finder:
    """Finds an image by what a labels file calls it; a duplicate means the image whose bytes it shares."""

    def __init__(self, images: Sequence[ImageInfo], root: Path, by_hash: bool) -> None:
        self._root = root
        self._by_hash = by_hash
        self._hashes = {
            image.content_hash: image
            for image in sorted(images, key=lambda image: image.state is ImageState.OK)
            if image.content_hash
        }
        self._paths = {image.path: image for image in images}
        self._names: defaultdict[str, list[ImageInfo]] = defaultdict(list)
        for image in images:
            self._names[PurePosixPath(image.path).name].append(image)

    def __call__(self, written: str) -> ImageInfo | str:
        """The image, or what to add to the complaint (empty where there is nothing to add)."""
        if self._by_hash:
            return self._hashes.get(written.lower(), "")
        path = Path(written.replace("\\", "/"))
        if path.is_absolute():
            path = path.relative_to(self._root) if path.is_relative_to(self._root) else path
        exact = self._paths.get(written) or self._paths.get(path.as_posix())  # names of vectors are free text
        named = [exact] if exact else self._names.get(path.as_posix(), [])
        distinct = {self._original(image).id: self._original(image) for image in named}
        if len(distinct) > 1:
            return f": {len(distinct)} images have this file name, give the path"
        return next(iter(distinct.values()), "")

    def _original(self, image: ImageInfo) -> ImageInfo:
        return self._hashes.get(image.content_hash, image)
