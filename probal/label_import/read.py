"""Which reader a file or folder of labels needs, by what it is called and what lies in it."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from probal.errors import UserError
from probal.label_import.folders import read_fiftyone, read_image_folder, read_json, read_zip
from probal.label_import.label_studio import read_label_studio
from probal.label_import.rows import LabelsFile
from probal.label_import.tables import read_json_lines, read_labels_file, read_parquet

_KNOWN = "a .csv, .jsonl, .parquet, .zip or .json file, or a folder of an export or with one folder per class"
_EXPORTED = {"hf", "labelstudio", "fiftyone", "imagefolder-linked", "imagefolder.zip"}
_TABLES = ("labels.parquet", "labels.jsonl", "labels.csv")
_NAMED = {*_TABLES, "labels.json", "tasks.json", "metadata.jsonl"}
"""Files that name the labels; an archive with one of them is an export, and not only images in folders."""


def read_labels(source: Path) -> LabelsFile:
    """The labels in a file or folder of any format that ProbAL writes, or that the same tools write.

    Raises UserError where there is nothing, or nothing that is known, and for what does not read.
    """
    source = source.expanduser()
    if source.is_dir():
        return _read_folder(source)
    if not source.is_file():
        raise UserError(f"there is no {source}: give {_KNOWN}")
    match source.suffix.lower():
        case ".csv" | ".tsv" | ".txt":
            return read_labels_file(source)
        case ".jsonl" | ".ndjson":
            return read_json_lines(source)
        case ".parquet":
            return read_parquet([source], source)
        case ".zip":
            return _read_archive(source)
        case ".json":
            found = read_json(source)
            if isinstance(found, dict) and "labels" in found and (source.parent / "data").is_dir():
                return read_fiftyone(source.parent)
            return read_label_studio(found, source)
    raise UserError(f"{source} is of no known format: give {_KNOWN}")


def _read_folder(folder: Path) -> LabelsFile:
    table = next((folder / name for name in _TABLES if (folder / name).is_file()), None)
    if table is not None:
        return read_labels(table)
    if (folder / "labels.json").is_file() and (folder / "data").is_dir():
        return read_fiftyone(folder)
    if (folder / "tasks.json").is_file():
        return read_labels(folder / "tasks.json")
    if (folder / "metadata.jsonl").is_file():  # datasets' imagefolder with metadata
        return read_json_lines(folder / "metadata.jsonl")
    if parquet := sorted([*folder.glob("*.parquet"), *folder.glob("data/*.parquet")]):
        return read_parquet(parquet, folder)
    inner = [each for each in folder.iterdir() if each.is_dir() or each.suffix in {".zip", ".parquet"}]
    if len(inner) == 1 and inner[0].name in _EXPORTED:
        return read_labels(inner[0])  # the folder that an export was written into
    return read_image_folder(folder)


def _read_archive(file: Path) -> LabelsFile:
    """An export as one zip, as the page Export hands it over; or images in folders, which stay packed."""
    try:
        with zipfile.ZipFile(file) as archive:
            if not any(_names_labels(PurePosixPath(name)) for name in archive.namelist()):
                return read_zip(file)
            with tempfile.TemporaryDirectory(prefix="probal-import-") as scratch:
                archive.extractall(scratch)
                return _read_unpacked(Path(scratch), file)
    except (zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: a password is asked for
        raise UserError(f"{file} cannot be read as a zip archive: {error}") from None


def _names_labels(path: PurePosixPath) -> bool:
    return path.name in _NAMED or path.suffix in {".parquet", ".zip"}


def _read_unpacked(scratch: Path, file: Path) -> LabelsFile:
    folder = scratch
    while len(inner := [each for each in folder.iterdir() if each.name != "__MACOSX"]) == 1:
        if not inner[0].is_dir():
            break
        folder = inner[0]
    try:
        return _read_folder(folder)
    except UserError as error:  # what the user knows is the archive
        raise UserError(str(error).replace(str(folder), str(file))) from None
