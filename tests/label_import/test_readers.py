"""What leaves comes back: every export read again; and what other tools write of the same formats."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import datasets
import pandas as pd
import pytest
from PIL import Image

from probal.errors import UserError
from probal.export import EXPORTERS, ExportRow, export_labels
from probal.label_import import match, read_labels
from probal.types import ClassInfo, ImageInfo, ImageState, Role
from probal.web.downloads import zip_folder
from tests.export.conftest import image_root, rows

__all__ = ["image_root", "rows"]


def project_of(rows: list[ExportRow]) -> tuple[list[ImageInfo], list[ClassInfo]]:
    images = [
        ImageInfo(i, row.path, row.content_hash, 4, 3, 100, 0, ImageState.OK, Role.POOL)
        for i, row in enumerate(rows, 1)
    ]
    names = {row.class_id: row.label for row in rows}
    return images, [ClassInfo(id, name, None, None, i) for i, (id, name) in enumerate(names.items())]


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_export_comes_back(name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path) -> None:
    export_labels(rows, tmp_path / "out", [name], image_root)
    images, classes = project_of(rows)
    found = match(read_labels(tmp_path / "out"), images, classes, Path("/elsewhere"))
    assert found.complaint() == ""
    assert found.labels == {image.id: row.class_id for image, row in zip(images, rows, strict=True)}
    told = set(found.annotators.values())
    assert told == ({"ann"} if name in {"csv", "jsonl", "parquet", "labelstudio"} else {""})


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_export_comes_back_as_the_zip_that_the_page_hands_over(
    name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    export_labels(rows, tmp_path / "photos-2026-01-31", [name], image_root)
    archive = zip_folder(tmp_path / "photos-2026-01-31", tmp_path / "photos.zip")
    images, classes = project_of(rows)
    found = match(read_labels(archive), images, classes, Path("/elsewhere"))
    assert found.complaint() == ""
    assert found.labels == {image.id: row.class_id for image, row in zip(images, rows, strict=True)}


def test_what_is_wrong_in_an_archive_is_told_of_the_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        archive.writestr("out/labels.csv", "file,klass\na.png,cat\n")
    with pytest.raises(UserError, match=rf"^{tmp_path}/out.zip/labels.csv has the columns file, klass"):
        read_labels(tmp_path / "out.zip")


@pytest.mark.parametrize("name", EXPORTERS)
def test_the_same_labels_have_the_same_digest(
    name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    for folder, part in (("a", rows), ("b", rows), ("c", rows[1:])):
        export_labels(part, tmp_path / folder, [name], image_root)
    a, b, c = (read_labels(tmp_path / each).digest for each in "abc")
    assert a == b != c


def drawn(folder: Path, name: str, shade: int) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (shade, 0, 0)).save(folder / name)
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_an_image_folder_of_someone_else(tmp_path: Path) -> None:
    digest = drawn(tmp_path / "data" / "train" / "cat", "1.png", 10)
    drawn(tmp_path / "data" / "val" / "dog", "2.jpg", 20)
    (tmp_path / "data" / "readme.txt").write_text("not an image")
    drawn(tmp_path / "data" / ".thumbnails" / "cat", "1.png", 30)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in (tmp_path / "data").rglob("*.*"):
            archive.write(file, file.relative_to(tmp_path))
    for source in (tmp_path / "data", tmp_path / "data.zip"):
        found = read_labels(source).rows
        assert {(row.image, row.label) for row in found} == {("1.png", "cat"), ("2.jpg", "dog")}
        assert found[0].content_hash == digest


def test_what_datasets_itself_saves(tmp_path: Path) -> None:
    digest = drawn(tmp_path, "1.png", 10)
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["dog", "cat"])}
    )
    image = {"bytes": (tmp_path / "1.png").read_bytes(), "path": None}
    made = datasets.Dataset.from_dict({"image": [image] * 2, "label": [1, None]}, features=features)
    made.to_parquet(tmp_path / "set" / "data" / "train-00000-of-00001.parquet")
    found = read_labels(tmp_path / "set")
    assert [(row.label, row.content_hash) for row in found.rows] == [("cat", digest)]
    assert found.unlabeled == 1


TASKS = [
    {
        "data": {"image": "/data/upload/1/0a1b2c3d-sub%20dir.png"},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {"completed_by": {"email": "ann@x.org"}, "result": [{"value": {"choices": ["cat"]}}]},
        ],
    },
    {"data": {"photo": "/data/local-files/?d=pool/a%2Bb.png"}, "annotations": []},
    {
        "data": {"image": "s3://bucket/pool/c.png"},
        "annotations": [{"result": [{"value": {"choices": ["dog"]}}]}],
    },
]


def written(file: Path, value: object) -> Path:
    file.write_text(json.dumps(value))
    return file


def test_label_studios_export(tmp_path: Path) -> None:
    found = read_labels(written(tmp_path / "project-1.json", TASKS))
    assert [(row.image, row.label, row.annotator) for row in found.rows] == [
        ("sub dir.png", "cat", "ann@x.org"),
        ("c.png", "dog", ""),
    ]
    assert found.unlabeled == 1
    TWO = [{"data": {"image": "/data/local-files/?d=pool/a%2Bb.png"}, "annotations": TASKS[2]["annotations"]}]
    assert read_labels(written(tmp_path / "x.json", TWO)).rows[0].image == "pool/a+b.png"


def test_label_studios_flat_export(tmp_path: Path) -> None:
    flat = [{"image": "/data/upload/1/0a1b2c3d-a.png", "choice": "cat", "annotator": 1, "id": 3}]
    (row,) = read_labels(written(tmp_path / "min.json", flat)).rows
    assert (row.image, row.label) == ("a.png", "cat")


def test_fiftyones_short_form(tmp_path: Path) -> None:
    digest = drawn(tmp_path / "data", "x1.png", 10)
    written(tmp_path / "labels.json", {"classes": None, "labels": {"x1": "cat", "x2": None}})
    found = read_labels(tmp_path)
    assert [(row.label, row.content_hash) for row in found.rows] == [("cat", digest)]


def test_a_parquet_table_of_paths(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["a.png", "b.png"], "label": ["cat", None], "other": [1, 2]})
    frame.to_parquet(tmp_path / "l.parquet")
    found = read_labels(tmp_path / "l.parquet")
    assert ([(row.image, row.label) for row in found.rows], found.unlabeled) == ([("a.png", "cat")], 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.json", None, "there is no .*none.json: give a .csv"),
        ("l.docx", b"x", "is of no known format"),
        ("l.json", b"{", "is no JSON"),
        ("l.json", b"{}", "is no list of Label Studio tasks"),
        ("l.json", b"[]", "holds no label"),
        ("l.jsonl", b'{"path": "a.png", "label": "cat"}\n{', "line 2, is no JSON"),
        ("l.jsonl", b'{"path": "a.png"}', "line 1, has the columns path: expected path"),
        ("l.jsonl", b"[1]", "line 1, is no JSON object"),
        ("l.parquet", b"PAR1", "cannot be read as a Parquet file"),
        ("l.zip", b"PK", "cannot be read as a zip archive"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_labels(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_without_classes_and_a_task_of_two(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no image in a folder named after its class"):
        read_labels(tmp_path / "empty")
    two = [
        {"data": {"image": "a.png"}, "annotations": [{"result": [{"value": {"choices": ["cat", "dog"]}}]}]}
    ]
    with pytest.raises(UserError, match="task 1, has 2 classes: ProbAL keeps one per image"):
        read_labels(written(tmp_path / "two.json", two))
