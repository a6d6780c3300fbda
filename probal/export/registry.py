"""The formats by name, and the export as a whole: validated first, built aside, then moved into place."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from probal.errors import UserError
from probal.export import csv_file, fiftyone, hugging_face, image_folder, label_studio, records
from probal.export.base import Exporter, ExportReport, ExportRow, Progress

EXPORTERS: Mapping[str, Exporter] = {
    "csv": csv_file.write,
    "jsonl": records.write_jsonl,
    "parquet": records.write_parquet,
    "imagefolder": image_folder.write,
    "imagefolder-zip": image_folder.write_zip,
    "imagefolder-link": image_folder.write_links,
    "hf": hugging_face.write,
    "labelstudio": label_studio.write,
    "fiftyone": fiftyone.write,
}
DESCRIPTIONS: Mapping[str, tuple[str, str]] = {
    "csv": ("CSV table", "One row per label; opens in any spreadsheet, and pandas reads it."),
    "jsonl": ("JSON lines", "One JSON object per label, for scripts."),
    "parquet": ("Parquet table", "The same table with types, for pandas, Polars, DuckDB and Spark."),
    "imagefolder": (
        "A folder per class",
        "Copies of the images sorted by class, as torchvision, timm, Keras and fastai read them.",
    ),
    "imagefolder-zip": ("A folder per class, zipped", "The same in one archive, to send away."),
    "imagefolder-link": (
        "A folder per class, links",
        "The same with links instead of copies: quick and small, on this machine only; a tool that edits the "
        "files edits your images.",
    ),
    "hf": (
        "Hugging Face datasets",
        "A folder for load_dataset, images and class names inside; audit images are its test split.",
    ),
    "labelstudio": (
        "Label Studio",
        "Tasks with your labels and the model's predictions, and the labeling setup; the images stay where "
        "they are.",
    ),
    "fiftyone": (
        "FiftyOne",
        "Copies of the images with labels.json, for its FiftyOneImageClassificationDataset.",
    ),
}
"""Title and one sentence of each format, for pages and help."""


def export_labels(
    rows: Iterable[ExportRow],
    dest: Path,
    formats: Sequence[str],
    image_root: Path | None,
    progress: Progress | None = None,
    more: Mapping[str, Exporter] | None = None,
) -> ExportReport:
    """Write the rows into `dest` in each of the `formats`, all of it or nothing.

    `more` are exporters of the caller's own, by format; they write what needs no label, such as a model.

    Everything is built in a hidden folder beside `dest`, which then takes its name; a kill before leaves that
    `.partial` folder and no `dest`. Images are only read. Raises UserError for no rows, an unknown format, a
    `dest` that is a file, is not empty, lies among the images or cannot be written.
    """
    ordered = sorted(rows, key=lambda row: row.path)
    wanted = list(dict.fromkeys(formats))
    exporters = {**EXPORTERS, **(more or {})}
    unknown = [name for name in wanted if name not in exporters]
    if unknown or not wanted:
        what = f"unknown export format {unknown[0]!r}" if unknown else "no export format given"
        raise UserError(f"{what}: choose from {', '.join(exporters)}")
    if not ordered and any(name in EXPORTERS for name in wanted):
        raise UserError("there is no label to export yet: label some images first")
    dest = dest.expanduser().absolute()
    _check(dest, image_root)
    partial = dest.parent / f".{dest.name}.{secrets.token_hex(4)}.partial"
    try:
        partial.mkdir(parents=True)
        written = {name: exporters[name](ordered, partial, image_root, progress) for name in wanted}
        if dest.exists():
            dest.rmdir()  # empty, else an OSError
        partial.rename(dest)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write the export to {dest}: {reason}; choose another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return ExportReport(
        files=tuple(file for each in written.values() for file in each.files),
        counts={name: each.count for name, each in written.items()},
        skipped=tuple(item for each in written.values() for item in each.skipped),
        what={name: each.what for name, each in written.items()},
    )


def _check(dest: Path, image_root: Path | None) -> None:
    if dest.exists() and not dest.is_dir():
        raise UserError(f"{dest} is a file: give a folder to export into")
    if dest.is_dir() and any(dest.iterdir()):
        raise UserError(f"{dest} is not empty: give a new or an empty folder, nothing is overwritten")
    if image_root is not None and dest.resolve().is_relative_to(image_root.resolve()):
        raise UserError(f"{dest} lies among the images in {image_root}: give a folder outside of it")
