"""`probal replay` in a terminal."""

from __future__ import annotations

import json

from PIL import Image

from tests.cli.colours import encoder, images, labels_file, prepared, truth

__all__ = ["encoder", "images", "prepared", "truth"]


def test_the_same_and_not_the_same(prepared, images, truth, tmp_path):
    prepared("label", "p", labels_file(tmp_path / "l.csv", dict(list(truth.items())[:15])))
    for index in (0, 1):
        result = prepared("replay", "p", index)
        assert result.exit_code == 0
        assert f"Round {index} of p: the same model, candidates and 40 picks." in result.stderr
    Image.new("RGB", (8, 8), "red").save(images / "new.png")
    prepared("embed", "p")
    other = prepared("replay", "p", 0, "--json")
    assert other.exit_code == 1
    report = json.loads(other.stdout)
    assert not report["identical"]
    assert "candidates are others" in report["differences"][0]


def test_no_such_round(prepared):
    result = prepared("replay", "p", 7)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "'p' has no round 7; there are 0 to 0" in result.stderr
