"""`probal probvlm` on coloured noise and an encoder that sees colours."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.session.conftest import COLOURS, ColourEncoder, draw_pool


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    for room in ("vectors", "probvlm_training"):
        monkeypatch.setattr(f"probal.session.{room}.load_encoder", lambda encoder_id: ColourEncoder())


def table(file: Path, header: tuple[str, str], rows) -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return file


@pytest.fixture
def prepared(probal, tmp_path):
    """The project `p`, embedded, and its classes by path."""
    truth = draw_pool(tmp_path / "images", 100)
    assert probal("init", "p", "--images", tmp_path / "images", "--classes", ",".join(COLOURS)).exit_code == 0
    assert probal("embed", "p").exit_code == 0
    return probal, truth


@pytest.fixture
def trained(prepared, tmp_path):
    probal, truth = prepared
    labels = table(tmp_path / "labels.csv", ("path", "label"), truth.items())
    assert probal("label", "p", labels).exit_code == 0
    result = probal("probvlm", "train", "p", "--json")
    assert result.exit_code == 0
    return probal, json.loads(result.stdout)


def test_train_tells_what_it_learned_from(trained):
    probal, facts = trained
    assert facts["labels"] == 70  # 100 less the audit's 30
    assert (facts["captions"], facts["texts"]) == (0, 3)
    assert facts["held_out"] == 20
    assert 0 <= facts["calibration_error"] < 0.2
    assert json.loads(probal("probvlm", "show", "p", "--json").stdout) == facts
    assert "70 labeled images" in probal("probvlm", "show", "p").stdout


def test_too_few_labels_are_one_line(prepared, tmp_path):
    probal, truth = prepared
    labels = table(tmp_path / "labels.csv", ("path", "label"), list(truth.items())[:20])
    assert probal("label", "p", labels).exit_code == 0
    result = probal("probvlm", "train", "p")
    assert result.exit_code == 2
    assert "at least 40 images with a label or caption" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["show", "ambiguous"])
def test_untrained_says_how_to_train(prepared, command):
    result = prepared[0]("probvlm", command, "p")
    assert result.exit_code == 2
    assert "probal probvlm train p" in result.stderr


def test_captions_train_without_a_label(prepared, tmp_path):
    probal, truth = prepared
    outside = draw_pool(tmp_path / "more", 5, seed=3)
    rows = [*truth.items(), *((f"more/{path}", name) for path, name in outside.items())]
    pairs = table(tmp_path / "pairs.csv", ("path", "caption"), rows)
    result = probal("probvlm", "train", "p", "--pairs", pairs, "--json")
    assert result.exit_code == 0
    assert "30 captions of audit or test images left out" in result.stderr
    facts = json.loads(result.stdout)
    assert (facts["labels"], facts["captions"]) == (0, 75)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.png,red\n", "expected path and caption"),
        ("path,caption\na.png,\n", "holds no caption"),
        ("path,caption\nnowhere.png,red\n", "neither in the project nor in"),
        (b"path,caption\n\xff,red\n", "is not UTF-8"),
    ],
)
def test_a_pairs_file_that_makes_no_sense(prepared, tmp_path, text, message):
    file = tmp_path / "pairs.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = prepared[0]("probvlm", "train", "p", "--pairs", file)
    assert result.exit_code == 2
    assert message in result.stderr


def test_ambiguous_lists_the_flagged_most_ambiguous_first(trained):
    probal, _ = trained
    found = json.loads(probal("probvlm", "ambiguous", "p", "-n", "5", "--share", "0.4", "--json").stdout)
    assert found["images"] == 70
    assert 0 < found["flagged"] < 70
    values = [row["ambiguity"] for row in found["rows"]]
    assert len(values) == min(5, found["flagged"])
    assert values == sorted(values, reverse=True)
    assert found["rows"][0]["percentile"] == pytest.approx(100)
    assert found["rows"][0]["path"] in probal("probvlm", "ambiguous", "p", "--share", "0.4").stdout


def test_a_share_that_cannot_be_told_is_refused(trained):
    result = trained[0]("probvlm", "ambiguous", "p", "--share", "0.01")
    assert result.exit_code == 2
    assert "cannot flag a share of 0.01" in result.stderr


def test_next_shows_the_ambiguity_and_takes_the_strategy(trained, tmp_path):
    probal, _ = trained
    draw_pool(tmp_path / "images", 20, seed=9)
    assert probal("embed", "p").exit_code == 0
    rows = json.loads(probal("next", "p", "-n", "3", "--strategy", "probvlm", "--json").stdout)
    assert {row["strategy"] for row in rows} == {"probvlm"}
    assert all(row["ambiguity"] > 0 and 0 <= row["ambiguity_percentile"] <= 100 for row in rows)


def test_select_model_ranks(trained, monkeypatch):
    probal, _ = trained
    monkeypatch.setattr("probal.session.probvlm_training.check_encoder_id", lambda encoder_id: None)
    result = probal("probvlm", "select-model", "p", "--encoders", "one, two", "--json")
    assert result.exit_code == 0
    ranked = json.loads(result.stdout)
    assert {row["encoder"] for row in ranked} == {"one", "two"}
    assert 0 <= ranked[0]["spread"] <= ranked[1]["spread"] <= 1
    assert probal("probvlm", "select-model", "p", "--encoders", "one").exit_code == 2


def test_neighbours_draws_a_sheet(trained, tmp_path):
    probal, _ = trained
    sheet = tmp_path / "sheet.png"
    image = "0-000.png"
    result = probal("probvlm", "neighbours", "p", image, "--to", sheet, "-n", "6", "--json")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert image not in {row["path"] for row in rows}
    shares = [row["share"] for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1 + 1e-9
    with Image.open(sheet) as drawn:
        assert drawn.width > drawn.height > 160
        assert drawn.convert("RGB").getcolors(1 << 16) is not None
    again = probal("probvlm", "neighbours", "p", image, "--to", sheet, "-n", "6", "--json")
    assert json.loads(again.stdout) == rows


@pytest.mark.parametrize(
    ("image", "to", "message"),
    [("gone.png", "a.png", "no readable image 'gone.png'"), ("0-000.png", "a.txt", "must end in .png")],
)
def test_a_sheet_that_cannot_be_drawn(trained, tmp_path, image, to, message):
    result = trained[0]("probvlm", "neighbours", "p", image, "--to", tmp_path / to)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / to).exists()


def test_diffusion_without_the_extra_says_what_to_install(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    result = trained[0]("probvlm", "diffuse", "p", "0-000.png", "--to", tmp_path / "a.png", "--pipeline", "x")
    assert result.exit_code == 2
    assert "pip install 'probal[diffusion]'" in result.stderr
