"""Labels that are folders of images: one folder per class, zipped or not, and FiftyOne's classification dataset."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from probal.errors import UserError
from probal.label_import.rows import LabelsFile, Row, collect

_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
)
_MAPPING = "classes.json"

File = tuple[PurePosixPath, Callable[[], bytes]]


def read_image_folder(folder: Path) -> LabelsFile:
    """One folder per class, at any depth: the folder that an image lies in is its class.

    Names come from a `classes.json` as ProbAL writes it, where there is one. Images are told by their content, and
    where that is unknown (resized, say) by their file name.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return _read(
        ((PurePosixPath(each.relative_to(folder).as_posix()), each.read_bytes) for each in files), folder
    )


def read_zip(file: Path) -> LabelsFile:
    """The same in an archive; nothing is unpacked to the disk."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = sorted(each for each in archive.namelist() if not each.endswith("/"))
            return _read(((PurePosixPath(name), partial(archive.read, name)) for name in names), file)
    except (zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: a password is asked for
        raise UserError(f"{file} cannot be read as a zip archive: {error}") from None


def _read(files: Iterable[File], source: Path) -> LabelsFile:
    everything = [each for each in files if not any(part.startswith(".") for part in each[0].parts)]
    mapping = next((read for path, read in everything if path.name == _MAPPING), None)
    names = {} if mapping is None else _mapped(mapping(), source)
    images = [each for each in everything if each[0].suffix.lower() in _SUFFIXES and len(each[0].parts) > 1]
    if not images:
        raise UserError(f"{source} holds no image in a folder named after its class")

    def rows() -> Iterator[Row]:
        for path, read in images:
            folder = path.parent.name
            digest = hashlib.sha256(read()).hexdigest()
            yield Row(str(path), path.name, names.get(folder, folder), digest)

    return collect(rows(), "a folder per class", source)


def _mapped(data: bytes, source: Path) -> dict[str, str]:
    try:
        return {each["folder"]: each["name"] for each in json.loads(data)["classes"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{_MAPPING} in {source} is damaged: {error!r}") from None


def read_fiftyone(folder: Path) -> LabelsFile:
    """FiftyOneImageClassificationDataset: `labels.json`, and `data/` with files named by its keys."""
    found = read_json(folder / "labels.json")
    classes = found.get("classes")
    files = {path.stem: path for path in (folder / "data").iterdir()}
    files |= {path.name: path for path in (folder / "data").iterdir()}

    def name(target: Any) -> str:
        if isinstance(target, dict):
            target = target.get("label")
        if isinstance(target, int) and classes:
            return str(classes[target])
        return "" if target is None else str(target)

    def rows() -> Iterator[Row]:
        for key, target in found["labels"].items():
            file = files.get(key)
            digest = hashlib.sha256(file.read_bytes()).hexdigest() if file is not None else ""
            yield Row(key, file.name if file is not None else key, name(target), digest)

    try:
        return collect(rows(), "FiftyOne", folder)
    except (KeyError, IndexError, AttributeError) as error:
        raise UserError(f"{folder / 'labels.json'} is not FiftyOne's: {error!r}") from None


def read_json(file: Path) -> Any:
    """A JSON file; UserError where it is none."""
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise UserError(f"{file} is no JSON: {error}") from None
