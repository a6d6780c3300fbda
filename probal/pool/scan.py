"""A folder to the list of its images: content hashes, sizes, duplicates, and what cannot be read and why."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from probal.errors import UserError
from probal.pool._progress import Progress, ProgressCallback
from probal.pool._threads import ordered_map
from probal.pool.decode import IMAGE_SUFFIXES, UnreadableImage, check_readable
from probal.types import ImageState, ScannedImage


@dataclass(frozen=True)
class _Found:
    """A file with an image's suffix, or a `problem` that kept it from being read."""

    path: str
    absolute: str
    bytes: int = 0
    mtime_ns: int = 0
    problem: str | None = None


def scan_folder(
    root: Path,
    known: Mapping[str, ScannedImage] | None = None,
    progress: ProgressCallback | None = None,
) -> list[ScannedImage]:
    """All images below `root`, sorted by path; reads files only and never stops at a bad one.

    Hidden files and folders are skipped, and files without an image's suffix. Links to folders are followed
    once each. Of files with equal bytes the first is OK and the later ones are DUPLICATE. `known` is an
    earlier result by path: a file of the same size and modification time is not read again.

    Raises :class:`UserError`: no such folder, not a folder, no image file in it, none that can be read.
    """
    root = root.expanduser()
    if not root.exists():
        raise UserError(f"no such folder: {root}")
    if not root.is_dir():
        raise UserError(f"not a folder: {root}; give the folder that holds the images")
    found = sorted(_walk(root), key=lambda item: item.path)
    if not found:
        raise UserError(
            f"no image file in {root}; expected files such as .jpg, .png or .webp, also in subfolders"
        )

    known = known or {}
    report = Progress(progress, len(found))
    scanned: list[ScannedImage] = []
    # twice the cores: hashing and decoding leave Python's lock, and disks like several requests at once
    with ThreadPoolExecutor(max_workers=2 * (os.cpu_count() or 1)) as pool:
        for image in ordered_map(
            pool, lambda item: _scan_one(item, known.get(item.path)), found, window=1024
        ):
            scanned.append(image)
            report.report(len(scanned))
    scanned = mark_duplicates(scanned)
    if all(image.state is ImageState.CORRUPT for image in scanned):
        first = scanned[0]
        raise UserError(
            f"none of the {len(scanned)} image files in {root} can be read; "
            f"the first, {first.path}: {first.reason}"
        )
    return scanned


def count_images(root: Path, most: int = 1_000_000) -> int:
    """Number of image files below `root`, as `scan_folder` finds them, none of them opened; counting ends at `most`.

    Copies and files that turn out to be damaged count too. UserError for a folder that cannot be read.
    """
    return sum(1 for _ in islice((each for each in _walk(root) if each.problem is None), most))


def _walk(root: Path) -> Iterator[_Found]:
    seen = {os.path.realpath(root)}
    folders: deque[tuple[str, str]] = deque([(str(root), "")])
    links: deque[tuple[str, str]] = deque()
    while folders or links:
        # real folders first, so that a link into the pool never hides the folder that it points to
        if folders:
            folder, prefix = folders.popleft()
        else:
            folder, prefix = links.popleft()
            target = os.path.realpath(folder)
            if target in seen:
                continue
            seen.add(target)
        try:
            with os.scandir(folder) as listing:
                entries = sorted((e for e in listing if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            if not prefix:
                raise UserError(f"cannot read the folder {root}: {error.strerror}") from error
            yield _Found(prefix.rstrip("/"), folder, problem=f"the folder cannot be read: {error.strerror}")
            continue
        for entry in entries:
            if not _is_folder(entry):
                item = _file(entry, prefix + entry.name)
                if item is not None:
                    yield item
            elif entry.is_symlink():
                links.append((entry.path, f"{prefix}{entry.name}/"))
            elif (target := os.path.realpath(entry.path)) not in seen:
                seen.add(target)
                folders.append((entry.path, f"{prefix}{entry.name}/"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _file(entry: os.DirEntry[str], path: str) -> _Found | None:
    if os.path.splitext(entry.name)[1].lower() not in IMAGE_SUFFIXES:
        return None
    try:
        info = entry.stat()
    except OSError as error:
        problem = "a link that leads nowhere" if entry.is_symlink() else f"cannot be read: {error.strerror}"
        return _Found(path, entry.path, problem=problem)
    if not stat.S_ISREG(info.st_mode):
        return None  # a pipe or a device: opening it could wait for ever
    return _Found(path, entry.path, info.st_size, info.st_mtime_ns)


def _scan_one(found: _Found, known: ScannedImage | None) -> ScannedImage:
    path = found.path
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        found = replace(found, path=shown, problem="the file's name is not valid UTF-8; rename the file")
    if found.problem is not None:
        return _corrupt(found, "", found.problem)
    if (
        known is not None
        and (known.bytes, known.mtime_ns) == (found.bytes, found.mtime_ns)
        and known.content_hash  # without a hash nothing was read; the cause may have gone
        and known.state is not ImageState.MISSING
    ):
        corrupt = known.state is ImageState.CORRUPT
        return known if corrupt else replace(known, state=ImageState.OK, reason=None)
    try:
        with open(found.absolute, "rb") as stream:
            content_hash = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            try:
                width, height = check_readable(stream)
            except UnreadableImage as error:
                return _corrupt(found, content_hash, str(error))
    except OSError as error:
        return _corrupt(found, "", f"cannot be read: {error.strerror}")
    return ScannedImage(found.path, content_hash, width, height, found.bytes, found.mtime_ns, ImageState.OK)


def _corrupt(found: _Found, content_hash: str, reason: str) -> ScannedImage:
    return ScannedImage(
        found.path, content_hash, 0, 0, found.bytes, found.mtime_ns, ImageState.CORRUPT, reason
    )


def mark_duplicates(scanned: list[ScannedImage], same: str = "same bytes as") -> list[ScannedImage]:
    """Of OK items with equal content the first stays OK; the later ones become DUPLICATE, saying of what."""
    first: dict[str, str] = {}
    result = []
    for image in scanned:
        if image.state is ImageState.OK and first.setdefault(image.content_hash, image.path) != image.path:
            reason = f"{same} {first[image.content_hash]}"
            image = replace(image, state=ImageState.DUPLICATE, reason=reason)
        result.append(image)
    return result
