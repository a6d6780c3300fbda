"""`probal export` in a terminal: formats, filters, the curated set, the model, and what is refused."""

from __future__ import annotations

import pandas as pd
import pytest

from probal.cli.exports import MODEL_FORMATS
from probal.export import EXPORTERS
from probal.session.model_export import ModelFiles
from tests.cli.colours import encoder, images, labels_file, prepared, truth

__all__ = ["encoder", "images", "prepared", "truth"]


@pytest.fixture
def labeled(prepared, truth, tmp_path):
    some = list(truth.items())
    for who, part in (("ann", some[:12]), ("bob", some[10:20])):
        assert (
            prepared(
                "label", "p", labels_file(tmp_path / f"{who}.csv", dict(part)), "--annotator", who
            ).exit_code
            == 0
        )
    return prepared


def exported(run, folder, *words) -> pd.DataFrame:
    result = run("export", "p", "--to", folder, *words)
    assert result.exit_code == 0, result.stderr
    return pd.read_csv(folder / "labels.csv")


def test_export_writes_what_was_labeled(labeled, truth, tmp_path):
    result = labeled("export", "p", "--to", tmp_path / "out", "--format", "csv,imagefolder")
    assert result.exit_code == 0
    assert "20 labels as csv and 20 labels as imagefolder written to" in result.stderr
    table = pd.read_csv(tmp_path / "out" / "labels.csv")
    assert dict(zip(table["path"], table["label"], strict=True)) == dict(list(truth.items())[:20])


def test_filters(labeled, tmp_path):
    everything = exported(labeled, tmp_path / "all")
    by_bob = exported(labeled, tmp_path / "bob", "--annotator", "bob", "--no-audit")
    expected = everything[(everything["annotator"] == "bob") & (everything["role"] == "pool")]
    assert list(by_bob["path"]) == list(expected["path"])
    twice = exported(
        labeled, tmp_path / "both", "--annotator", "bob", "--annotator", "ann", "--given", "label"
    )
    assert len(twice) == 20
    proposed = everything["round"].dropna()
    if len(proposed):
        number = int(proposed.iloc[0])
        assert len(exported(labeled, tmp_path / "round", "--round", number)) == (proposed == number).sum()


def test_a_curated_set_names_classes_that_have_too_few(labeled, tmp_path):
    result = labeled("export", "p", "--to", tmp_path / "out", "--per-class", 3)
    counts = pd.read_csv(tmp_path / "out" / "labels.csv")["label"].value_counts()
    assert (counts <= 3).all()
    few = labeled("export", "p", "--to", tmp_path / "many", "--per-class", 50)
    assert "Fewer than asked for: blue (" in few.stderr
    assert result.exit_code == few.exit_code == 0


def test_the_model_leaves_with_the_labels(labeled, tmp_path):
    formats = ",".join(("csv", *MODEL_FORMATS))
    result = labeled("export", "p", "--to", tmp_path / "out", "--format", formats)
    assert result.exit_code == 0
    assert "100 predictions as predictions" in result.stderr
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        *("labels.csv", "adapter", "adapter.onnx", "predictions.csv", "predictions.parquet")
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "docx"), "unknown export format 'docx': choose from csv, jsonl"),
        (("--format", ","), "--format names none: choose from csv"),
        (("--min-agreement", "2"), "an agreement of 2: give a share between 0 and 1"),
        (("--given", "guess"), "no label is given by 'guess': choose from label, confirm, adjudicate"),
        (("--annotator", "nobody"), "none of the 20 labels passes the filters"),
        (("--per-class", "0"), "0 images per class: give 1 or more"),
    ],
)
def test_mistakes_end_in_one_line_and_write_nothing(labeled, tmp_path, words, message):
    result = labeled("export", "p", "--to", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_names_of_the_models_formats_are_those_of_the_session():
    class Nothing:
        classes = ()

    assert tuple(ModelFiles(Nothing()).exporters) == MODEL_FORMATS
    assert not set(MODEL_FORMATS) & set(EXPORTERS)
