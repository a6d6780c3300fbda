"""What a file of labels means in a project: which of its rows name an image and a class that are there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from probal.errors import UserError
from probal.label_import.rows import LabelsFile
from probal.types import ClassInfo, ImageInfo, ImageState, Role

SHOWN = 5
"""Offenders named in a message; of the rest only their number is told."""


@dataclass(frozen=True)
class Match:
    """Rows of a labels file, sorted by what can be done with them."""

    labels: Mapping[int, int]
    """Image id to class id."""
    annotators: Mapping[int, str]
    """Who gave it by the file's word, by image id; empty text where it does not say."""
    unknown_images: tuple[str, ...]
    """Rows whose image is not in the project, each with its place in the file."""
    unknown_classes: Mapping[str, int]
    """Class names that the project has not, with their number of rows."""
    unusable: tuple[str, ...]
    """Images that take no label: unreadable, or of the test split."""
    torn: tuple[str, ...]
    """Images with two different labels."""

    def complaint(self) -> str:
        """What does not fit, in one phrase; empty where all does."""
        return "; ".join(
            [
                *_told("unknown class", "unknown classes", list(self.unknown_classes)),
                *_told("unknown image", "unknown images", self.unknown_images),
                *_told("image that takes no label", "images that take no label", self.unusable),
                *_told("image with two different labels", "images with two different labels", self.torn),
            ]
        )


def match(file: LabelsFile, images: Sequence[ImageInfo], classes: Sequence[ClassInfo], root: Path) -> Match:
    """Look every row up; class names are compared without case. An image with two labels gets neither."""
    class_ids = {info.name.casefold(): info.id for info in classes}
    find = _Finder(images, root)
    unknown_images: list[str] = []
    unusable: list[str] = []
    torn: dict[int, str] = {}
    unknown_classes: Counter[str] = Counter()
    labels: dict[int, int] = {}
    annotators: dict[int, str] = {}
    for row in file.rows:
        found = find(row.image, row.content_hash)
        class_id = class_ids.get(row.label.casefold())
        named = row.image or row.content_hash or "(empty)"
        if isinstance(found, str):
            unknown_images.append(f"{named} ({row.where}{found})")
        elif found.state is not ImageState.OK or found.role is Role.TEST:
            why = "test split" if found.role is Role.TEST else str(found.state)
            unusable.append(f"{named} ({row.where}: {why})")
        elif class_id is not None and labels.setdefault(found.id, class_id) != class_id:
            torn.setdefault(found.id, f"{named} ({row.where})")
        elif class_id is not None:
            annotators.setdefault(found.id, row.annotator)
        if class_id is None:
            unknown_classes[row.label] += 1
    for image_id in torn:
        del labels[image_id], annotators[image_id]
    return Match(
        labels, annotators, tuple(unknown_images), unknown_classes, tuple(unusable), tuple(torn.values())
    )


def resolve(
    file: LabelsFile, images: Sequence[ImageInfo], classes: Sequence[ClassInfo], root: Path
) -> dict[int, int]:
    """Image id to class id for every row.

    Raises UserError that tells of all rows at once: unknown images, unknown classes, images named twice with
    different classes, and images that take no label (unreadable, or of the test split).
    """
    found = match(file, images, classes, root)
    require_all(found, classes)
    return dict(found.labels)


def require_all(found: Match, classes: Sequence[ClassInfo]) -> None:
    """UserError that tells of everything in the file that does not fit; nothing where all does."""
    complaint = found.complaint()
    if complaint:
        known = ", ".join(info.name for info in classes)
        hint = f" (the classes are {known})" if found.unknown_classes else ""
        raise UserError(f"nothing was stored: {complaint}{hint}")


def _told(one: str, many: str, offenders: Sequence[str]) -> list[str]:
    if not offenders:
        return []
    more = f" and {len(offenders) - SHOWN} more" if len(offenders) > SHOWN else ""
    return [f"{len(offenders)} {one if len(offenders) == 1 else many}: {', '.join(offenders[:SHOWN])}{more}"]


class _Finder:
    """Finds an image by what a labels file calls it; a duplicate means the image whose bytes it shares."""

    def __init__(self, images: Sequence[ImageInfo], root: Path) -> None:
        self._root = root
        self._hashes = {
            image.content_hash: image
            for image in sorted(images, key=lambda image: image.state is ImageState.OK)
            if image.content_hash
        }
        self._paths = {image.path: image for image in images}
        self._names: defaultdict[str, list[ImageInfo]] = defaultdict(list)
        for image in images:
            self._names[PurePosixPath(image.path).name].append(image)

    def __call__(self, written: str, content_hash: str) -> ImageInfo | str:
        """The image, or what to add to the complaint (empty where there is nothing to add)."""
        same = self._hashes.get(content_hash.lower())
        if same is not None or not written:
            return same or ""
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
