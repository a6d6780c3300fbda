"""The export as a whole: what is refused, and that refusing writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from probal.errors import UserError
from probal.export import ExportRow, export_labels


def refused(message: str, rows: list[ExportRow], dest: Path, formats: list[str], root: Path | None) -> None:
    before = sorted(dest.parent.rglob("*")) if dest.parent.exists() else None
    with pytest.raises(UserError, match=message) as caught:
        export_labels(rows, dest, formats, root)
    assert "\n" not in str(caught.value)
    assert before is None or sorted(dest.parent.rglob("*")) == before


def test_formats(rows: list[ExportRow], image_root: Path, tmp_path: Path) -> None:
    refused(
        "unknown export format 'docx': choose from csv, jsonl, parquet, imagefolder, ",
        rows,
        tmp_path / "o",
        ["csv", "docx"],
        image_root,
    )
    refused("no export format given", rows, tmp_path / "o", [], image_root)
    report = export_labels(rows, tmp_path / "o", ["csv", "csv"], image_root)
    assert report.counts == {"csv": len(rows)}


def test_nothing_to_export(image_root: Path, tmp_path: Path) -> None:
    refused("no label to export", [], tmp_path / "o", ["csv"], image_root)


def test_destination(rows: list[ExportRow], image_root: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    refused("is a file", rows, file, ["csv"], image_root)
    full = tmp_path / "full"
    full.mkdir()
    (full / "labels.csv").write_text("mine")
    refused("is not empty", rows, full, ["csv"], image_root)
    assert (full / "labels.csv").read_text() == "mine"
    refused("lies among the images", rows, image_root / "export", ["csv"], image_root)
    refused("cannot write the export", rows, file / "below", ["csv"], image_root)


def test_empty_destination_and_missing_parents_are_fine(
    rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    export_labels(rows, empty, ["csv"], image_root)
    export_labels(rows, tmp_path / "x" / "y" / "z", ["csv"], image_root)
    assert [each.name for each in empty.iterdir()] == ["labels.csv"]
    assert [each.name for each in (tmp_path / "x" / "y").iterdir()] == ["z"]
    assert empty.stat().st_mode & 0o055 == tmp_path.joinpath("x").stat().st_mode & 0o055


def test_a_project_of_vectors_has_no_images(rows: list[ExportRow], tmp_path: Path) -> None:
    refused("vectors and no images", rows, tmp_path / "o", ["csv", "imagefolder"], None)
    assert export_labels(rows, tmp_path / "o", ["csv"], None).counts == {"csv": len(rows)}
