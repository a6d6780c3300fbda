"""`probal backup` and `restore` in a terminal: to another workspace, and what is refused."""

from __future__ import annotations

import json

from tests.cli.colours import encoder, images, labels_file, prepared, truth
from tests.cli.conftest import invoke

__all__ = ["encoder", "images", "prepared", "truth"]


def test_to_another_workspace_with_the_images_elsewhere(prepared, images, truth, tmp_path):
    prepared("label", "p", labels_file(tmp_path / "l.csv", dict(list(truth.items())[:15])))
    result = prepared("backup", "p", "--to", tmp_path / "p.probal")
    assert result.exit_code == 0
    assert "p: 15 labels, vectors of 100 images" in result.stderr
    images.rename(tmp_path / "moved")
    there = tmp_path / "there"
    refused = invoke(there, "restore", tmp_path / "p.probal")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "give the folder they are in" in refused.stderr
    back = invoke(there, "restore", tmp_path / "p.probal", "--images", tmp_path / "moved", "--name", "q")
    assert back.exit_code == 0
    assert "Project q is back: 100 of its 100 images were found." in back.stderr
    status = json.loads(invoke(there, "status", "q", "--json").stdout)
    assert (status["labels"], status["job"]) == (15, None)
    assert invoke(there, "next", "q").exit_code == 0


def test_without_vectors_it_says_what_to_do_next(prepared, tmp_path):
    assert prepared("backup", "p", "--to", tmp_path / "p.probal", "--no-vectors").exit_code == 0
    back = invoke(tmp_path / "there", "restore", tmp_path / "p.probal")
    assert "Next: probal embed p" in back.stderr
    assert invoke(tmp_path / "there", "embed", "p").exit_code == 0


def test_mistakes_end_in_one_line(prepared, tmp_path):
    (tmp_path / "there.probal").write_text("mine")
    for words, message in (
        (("backup", "p", "--to", tmp_path / "there.probal"), "nothing is overwritten"),
        (("backup", "p", "--to", tmp_path / "no" / "p.probal"), "make it first"),
        (("restore", tmp_path / "none.probal"), "there is no backup"),
        (("restore", tmp_path / "there.probal"), "is no backup"),
        (("restore", tmp_path / "there.probal", "--name", "a/b"), "a/b"),
    ):
        result = prepared(*words)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert message in result.stderr
    assert (tmp_path / "there.probal").read_text() == "mine"
