"""`probal import` in a terminal: what an export wrote comes back, mistakes store nothing, an import can be undone."""

from __future__ import annotations

import json

import pytest

from probal.store import Store
from tests.cli.colours import encoder, images, labels_file, prepared, truth

__all__ = ["encoder", "images", "prepared", "truth"]


@pytest.fixture
def labels(workspace):
    """Label by path as the store has it now, and how many events there are."""

    def read() -> tuple[dict[str, tuple[str, str]], int]:
        with Store.open(workspace / "probal.sqlite") as store:
            project = store.project("p")
            names = {each.id: each.name for each in store.classes(project.id)}
            paths = {image.id: image.path for image in store.images(project.id)}
            now = store.current_labels(project.id)
            found = {paths[one.image_id]: (names[one.class_id], one.annotator) for one in now}
            return found, len(store.events(project.id))

    return read


@pytest.mark.parametrize("format", ["csv", "parquet", "imagefolder-zip", "hf", "labelstudio"])
def test_an_export_comes_back_twice_is_once_and_undo_takes_it_away(format, prepared, truth, labels, tmp_path):
    some = dict(list(truth.items())[:8])
    prepared("label", "p", labels_file(tmp_path / "l.csv", some), "--annotator", "ann")
    assert prepared("export", "p", "--to", tmp_path / "out", "--format", format).exit_code == 0
    prepared("import", "p", tmp_path / "l.csv", "--undo")
    assert labels()[0] == {}

    dry = prepared("import", "p", tmp_path / "out", "--dry-run")
    assert "8 new labels, 0 stored already" in dry.stderr
    assert labels()[0] == {}
    assert prepared("import", "p", tmp_path / "out", "--annotator", "bob").exit_code == 0
    assert labels()[0] == {path: (name, "bob") for path, name in some.items()}
    before = labels()
    again = prepared("import", "p", tmp_path / "out", "--annotator", "bob")
    assert "0 new labels, 8 stored already" in again.stderr
    assert labels() == before

    undone = prepared("import", "p", tmp_path / "out", "--undo")
    assert "8 labels taken back" in undone.stderr
    found, events = labels()
    assert found == {}
    assert events == before[1] + 8, "the log keeps both"

    for _ in range(2):  # taken back is not lost: the same file brings it again, as often as one likes
        assert "8 new labels" in prepared("import", "p", tmp_path / "out", "--annotator", "bob").stderr
        assert labels()[0] == before[0]
        assert "8 labels taken back" in prepared("import", "p", tmp_path / "out", "--undo").stderr
        assert labels()[0] == {}


def test_whose_labels_they_are(prepared, truth, labels, tmp_path):
    (a, b), folder = list(truth)[:2], tmp_path / "l.jsonl"
    folder.write_text(
        json.dumps({"path": a, "label": truth[a], "annotator": "zoe"})
        + "\n"
        + json.dumps({"path": b, "label": truth[b]})
    )
    assert prepared("import", "p", folder).exit_code == 0
    assert labels()[0] == {a: (truth[a], "zoe"), b: (truth[b], "import")}


def test_one_row_that_does_not_fit_keeps_all_out_unless_asked(prepared, truth, labels, tmp_path):
    rows = {**dict(list(truth.items())[:3]), "nowhere.png": "red"}
    file = labels_file(tmp_path / "l.csv", rows)
    with file.open("a") as stream:
        stream.write(f"{list(truth)[5]},purple\n")
    result = prepared("import", "p", file)
    assert result.exit_code == 2
    assert (
        "nothing was stored: 1 unknown class: purple; 1 unknown image: nowhere.png (line 5)" in result.stderr
    )
    assert result.stderr.count("\n") == 1
    assert labels() == ({}, 0)

    lenient = prepared("import", "p", file, "--skip-unknown", "--json")
    assert lenient.exit_code == 0
    report = json.loads(lenient.stdout)
    assert (report["rows"], report["images"], report["new"]) == (5, 3, 3)
    assert report["unknown_classes"] == {"purple": 1}
    assert report["unknown_images"] == ["nowhere.png (line 5)"]
    assert len(labels()[0]) == 3


def test_mistakes(prepared, probal, images, truth, tmp_path):
    file = labels_file(tmp_path / "l.csv", truth)
    assert (
        "kept for labels that came with" in prepared("import", "p", file, "--annotator", "reference").stderr
    )
    assert "there is no" in prepared("import", "p", tmp_path / "none.csv").stderr
    probal("init", "new", "--images", images, "--classes", "red,green")
    result = probal("import", "new", file)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "run probal embed new first" in result.stderr
