"""`probal bench`: runs, tells its settings and its machine, and writes every repeat; no timing is judged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.session.conftest import ColourEncoder

SMALL = ["--images", "60", "--classes", "4"]
COMMANDS = {
    "embed": (["--images", "5"], {"encoder": "embedded", "images": 5}, 3),
    "score": ([*SMALL, "--rank", "3"], {"images": 60, "classes": 4, "rank": 3}, 4),
    "update": (
        ["--labels", "12", "--classes", "3", "--width", "6", "--adapter", "clap"],
        {"labels": 12, "classes": 3, "width": 6, "adapter": "clap"},
        2,
    ),
    "propose": (
        [*SMALL, "--width", "6", "--labels", "40", "-n", "5", "--strategy", "random"],
        {"strategy": "random", "images": 60, "classes": 4, "width": 6, "labels": 40, "batch": 5},
        2,
    ),
}


@pytest.fixture(autouse=True)
def colours(monkeypatch):
    monkeypatch.setattr("probal.encoders.load_encoder", lambda encoder_id: ColourEncoder())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_repeat_is_written_with_its_machine(probal, tmp_path, name):
    words, settings, count = COMMANDS[name]
    result = probal("bench", name, *words, "--repeats", "2", "--seed", "7", "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.stderr
    assert "median" in result.stdout
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["bench"] == name
    assert written["settings"] == settings
    assert (written["repeats"], written["seed"]) == (2, 7)
    assert {"cpu", "cores", "load", "torch_threads", "torch", "python"} <= written["machine"].keys()
    assert len(written["timings"]) == count
    for timing in written["timings"]:
        assert len(timing["seconds"]) == 2
        assert timing["median"] == pytest.approx(np.median(timing["seconds"]))
        assert timing["per_second"] == pytest.approx(timing["items"] / timing["median"])
        assert timing["name"].split(",")[0] in result.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["propose", "--strategy", "probvlm"], "drawn data has none"),
        (["propose", "--strategy", "best"], "unknown strategy 'best'"),
        (["propose", *SMALL, "--labels", "58"], "58 labels leave 2 of 60 images to choose 10 from"),
        (["update", "--adapter", "best"], "unknown adapter 'best'"),
        (["score", "--json", "no/such/out.json"], "no folder"),
        (["score", "--repeats", "0"], "'--repeats'"),
    ],
)
def test_mistakes_in_one_line(probal, words, told):
    result = probal("bench", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
