"""What single formats promise beyond the round trip that all of them make."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pandas as pd
import pytest

from probal.errors import UserError
from probal.export import ExportRow, export_labels
from probal.export.records import COLUMNS


def exported(rows: list[ExportRow], folder: Path, name: str, root: Path | None = None) -> Path:
    export_labels(rows, folder, [name], root)
    return folder


def test_the_tables_carry_every_column_with_its_type(rows: list[ExportRow], tmp_path: Path) -> None:
    rows = [
        replace(each, given="confirm", annotators=3, agreement=2 / 3, predicted="cat", probability=0.625)
        for each in rows
    ]
    typed = pd.read_parquet(exported(rows, tmp_path / "p", "parquet") / "labels.parquet")
    lines = (exported(rows, tmp_path / "j", "jsonl") / "labels.jsonl").read_text("utf-8").splitlines()
    assert tuple(typed.columns) == COLUMNS
    for row, line, (_, cells) in zip(
        sorted(rows, key=lambda row: row.path), lines, typed.iterrows(), strict=True
    ):
        one = json.loads(line)
        assert tuple(one) == COLUMNS
        assert row.labeled_at is not None
        assert one.pop("labeled_at") == row.labeled_at.isoformat()
        assert cells["labeled_at"] == row.labeled_at
        assert one == {name: getattr(row, name) for name in one}
        assert [cells[name] for name in ("path", "label", "given", "agreement", "probability")] == [
            getattr(row, name) for name in ("path", "label", "given", "agreement", "probability")
        ]
        assert pd.isna(cells["round"]) == (row.round is None)


@pytest.mark.parametrize("name", ["jsonl", "parquet", "labelstudio"])
def test_a_path_that_is_no_utf8_is_no_stop(name: str, rows: list[ExportRow], tmp_path: Path) -> None:
    exported([replace(rows[0], path="caf\udce9.png")], tmp_path / "o", name)


def test_links_lead_to_the_pool_and_only_where_asked(
    rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    out = exported(rows, tmp_path / "o", "imagefolder-link", image_root) / "imagefolder-linked" / "images"
    links = [each for each in out.rglob("*") if each.is_symlink()]
    assert {os.path.realpath(each) for each in links} == {
        os.path.realpath(image_root / row.path) for row in rows
    }
    plain = exported(rows, tmp_path / "c", "imagefolder", image_root)
    assert not any(each.is_symlink() for each in plain.rglob("*"))


def test_the_dataset_card_names_the_splits_that_are_there(
    rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    only = [replace(row, role="pool") for row in rows]
    card = (exported(only, tmp_path / "o", "hf", image_root) / "hf" / "README.md").read_text("utf-8")
    assert "split: train" in card
    assert "split: test" not in card


def test_label_studio_gets_predictions_with_scores_and_paths_that_come_back(
    rows: list[ExportRow], tmp_path: Path
) -> None:
    guessed = [replace(row, predicted=rows[-1].label, probability=0.25) for row in rows]
    out = exported(guessed, tmp_path / "o", "labelstudio") / "labelstudio"
    tasks = json.loads((out / "tasks.json").read_text("utf-8"))
    paths = {unquote(task["data"]["image"]).removeprefix("/data/local-files/?d=") for task in tasks}
    assert paths == {row.path for row in rows}
    for task in tasks:
        (prediction,) = task["predictions"]
        assert prediction["score"] == 0.25
        assert prediction["result"][0]["value"] == {"choices": [rows[-1].label]}


def test_a_class_that_was_only_predicted_is_a_choice(rows: list[ExportRow], tmp_path: Path) -> None:
    guessed = [replace(row, predicted="never labeled", probability=0.25) for row in rows]
    out = exported(guessed, tmp_path / "o", "labelstudio") / "labelstudio"
    choices = [each.get("value") for each in ElementTree.parse(out / "config.xml").getroot().iter("Choice")]
    assert choices == [*dict.fromkeys(row.label for row in rows), "never labeled"]


def test_class_names_with_markup_stay_names(rows: list[ExportRow], tmp_path: Path) -> None:
    name = '<Choice value="x"/> & "y"'
    out = exported([replace(rows[0], label=name)], tmp_path / "o", "labelstudio")
    (choice,) = ElementTree.parse(out / "labelstudio" / "config.xml").getroot().iter("Choice")
    assert choice.get("value") == name


def test_label_studio_reads_its_own_files(rows: list[ExportRow], tmp_path: Path) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason="heavy, not in the dev extra")
    guessed = [replace(row, predicted="never labeled", probability=0.25) for row in rows]
    out = exported(guessed, tmp_path / "o", "labelstudio") / "labelstudio"
    config = interface.LabelInterface((out / "config.xml").read_text("utf-8"))
    config.validate()
    for task in json.loads((out / "tasks.json").read_text("utf-8")):
        assert config.validate_task({"data": task["data"]})
        assert all(config.validate_annotation(each) for each in task["annotations"])
        assert all(config.validate_prediction(each) for each in task["predictions"])


@pytest.mark.parametrize("name", ["hf", "fiftyone", "imagefolder-zip", "imagefolder-link"])
def test_formats_that_need_images_say_so(name: str, rows: list[ExportRow], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"vectors and no images: {name} needs images"):
        export_labels(rows, tmp_path / "o", [name], None)
    assert not (tmp_path / "o").exists()
