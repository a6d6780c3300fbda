"""The loop in a terminal, whole, on coloured noise and an encoder that sees colours."""

from __future__ import annotations

import json
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from probal.cli.loop import _print_proposals
from probal.encoders.auto import EncoderChoice
from probal.store import Store
from probal.types import EventKind
from tests.cli.colours import encoder, images, labels_file, prepared, truth
from tests.session.conftest import COLOURS

__all__ = ["encoder", "images", "prepared", "truth"]

BATCH = 64
"""Images that `embed_images` stores at a time."""


def read(probal, *words: object):
    result = probal(*words, "--json")
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_init_writes_a_project_and_says_what_to_do_next(probal, images, truth):
    result = probal("init", "p", "--images", images, "--classes", "red,green,blue", "--audit", "40")
    assert result.exit_code == 0
    assert f"{sum(each.is_file() for each in images.rglob('*'))} image files" in " ".join(
        result.stderr.split()
    )
    assert "probal embed p" in result.stderr
    assert "probal serve" in result.stderr
    assert read(probal, "status", "p")["job"]["state"] == "queued"


def test_embed_reserves_the_audit_and_proposes(prepared):
    status = read(prepared, "status", "p")
    assert status["images"]["ok"] == 100
    assert status["audit_total"] == 30
    assert status["rounds"] == 1
    assert status["job"] is None


def test_next_tells_what_and_why(prepared, truth):
    rows = read(prepared, "next", "p", "-n", "7")
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert len({row["path"] for row in rows} & truth.keys()) == 7
    for row in rows:
        assert sum(p for _, p in row["predicted"]) == pytest.approx(1, abs=1e-4)
        assert row["total"] == pytest.approx(row["aleatoric"] + row["epistemic"], abs=1e-5)
    shown = prepared("next", "p", "-n", "7")
    assert rows[0]["path"] in shown.stdout
    assert rows[0]["phase"] in shown.stdout


def test_a_path_stands_in_one_piece(monkeypatch):
    rows = [
        {
            "rank": 1,
            "path": "dress/098d55e4-996c-460c-811a-862d68ca.jpg",
            "predicted": [("long sleeve sweater", 0.5), ("t-shirt", 0.3), ("trousers", 0.1)],
            "phase": "uncertainty",
            **dict.fromkeys(("total", "aleatoric", "epistemic"), 1.0),
        }
    ]
    shown = StringIO()
    monkeypatch.setattr("probal.cli.loop.out", lambda: Console(file=shown, width=80))
    _print_proposals("p", rows)
    assert rows[0]["path"] in shown.getvalue()
    assert "· uncertainty" in " ".join(shown.getvalue().split())


def test_next_asked_again_is_the_same_batch(prepared, workspace):
    assert read(prepared, "next", "p", "-n", "5") == read(prepared, "next", "p", "-n", "5")
    with Store.open(workspace / "probal.sqlite") as store:
        assert len(store.rounds(store.project("p").id)) == 1


def test_next_with_another_strategy_or_more_images_is_another_round(prepared):
    rows = read(prepared, "next", "p", "-n", "5", "--strategy", "random")
    assert {row["strategy"] for row in rows} == {"random"}
    assert len(read(prepared, "next", "p", "-n", "60")) == 60
    assert read(prepared, "status", "p")["rounds"] == 3


def test_labels_are_stored_once_and_refitted(prepared, truth, tmp_path):
    file = labels_file(tmp_path / "labels.csv", dict(list(truth.items())[:50]))
    first = prepared("label", "p", file)
    assert first.exit_code == 0
    assert "50 new labels, 0 stored already" in first.stderr
    assert "Accuracy" in first.stderr
    status = read(prepared, "status", "p")
    assert status["labels"] == 50
    assert status["rounds"] == 2
    assert status["metrics"]["accuracy"]["n"] == status["audit_labeled"]

    again = prepared("label", "p", file)
    assert again.exit_code == 0
    assert "0 new labels, 50 stored already" in again.stderr
    assert read(prepared, "status", "p") == status


def test_a_dry_run_stores_nothing(prepared, truth, tmp_path):
    file = labels_file(tmp_path / "labels.csv", truth)
    result = prepared("label", "p", file, "--dry-run")
    assert result.exit_code == 0
    assert "100 new labels" in result.stderr
    assert read(prepared, "status", "p")["labels"] == 0


def test_the_annotator_is_kept_with_the_label(prepared, truth, tmp_path, workspace):
    prepared("label", "p", labels_file(tmp_path / "labels.csv", truth), "--annotator", "Ada")
    with Store.open(workspace / "probal.sqlite") as store:
        events = store.events(store.project("p").id)
    assert {(stored.event.annotator, stored.event.kind) for stored in events} == {("Ada", EventKind.LABEL)}


def test_labeling_what_next_says_makes_a_classifier(prepared, truth, tmp_path):
    for turn in range(3):
        rows = read(prepared, "next", "p", "-n", "10")
        file = labels_file(tmp_path / f"{turn}.csv", {row["path"]: truth[row["path"]] for row in rows})
        assert prepared("label", "p", file).exit_code == 0
    to = tmp_path / "predicted.csv"
    assert prepared("predict", "p", "--to", to).exit_code == 0
    predicted = pd.read_csv(to)
    assert list(predicted["path"]) == sorted(truth)
    assert np.mean(predicted["predicted"] == predicted["path"].map(truth)) > 0.85


@pytest.mark.parametrize(("name", "load"), [("p.csv", pd.read_csv), ("p.parquet", pd.read_parquet)])
def test_predictions_as_a_table(prepared, tmp_path, name, load):
    assert prepared("predict", "p", "--to", tmp_path / name).exit_code == 0
    table = load(tmp_path / name)
    assert len(table) == 100
    assert (table["probability"] >= table["top2_probability"]).all()
    assert (table["top2_probability"] >= table["top3_probability"]).all()
    assert np.allclose(table["entropy"], table["aleatoric"] + table["epistemic"], atol=1e-4)
    assert sorted(tmp_path.glob("*.partial")) == []


def test_an_interrupted_embed_keeps_its_vectors_and_goes_on(
    probal, images, truth, encoder, monkeypatch, workspace
):
    assert probal("init", "p", "--images", images, "--classes", ",".join(COLOURS)).exit_code == 0
    encoded: list[int] = []

    def interrupted(batch: np.ndarray) -> np.ndarray:
        if encoded:
            raise KeyboardInterrupt
        encoded.append(len(batch))
        return batch

    monkeypatch.setattr(encoder, "encode_prepared", interrupted)
    result = probal("embed", "p")
    assert result.exit_code == 130
    assert (
        "Stopped. The vectors computed so far are kept; probal embed p goes on from there." in result.stderr
    )
    assert encoded == [BATCH]
    assert read(probal, "status", "p")["rounds"] == 0

    def counted(batch: np.ndarray) -> np.ndarray:
        encoded.append(len(batch))
        return batch

    monkeypatch.setattr(encoder, "encode_prepared", counted)
    assert probal("embed", "p").exit_code == 0
    assert encoded == [BATCH, 100 - BATCH]
    assert read(probal, "status", "p")["rounds"] == 1


def test_a_grown_pool_embeds_only_what_is_new(prepared, images, encoder, monkeypatch):
    Image.new("RGB", (8, 8), "red").save(images / "new.png")
    encoded: list[int] = []
    monkeypatch.setattr(encoder, "encode_prepared", lambda batch: (encoded.append(len(batch)), batch)[1])
    result = prepared("embed", "p")
    assert result.exit_code == 0
    assert encoded == [1]
    assert "101 ok" in result.stderr


def test_a_failed_job_is_one_line(probal, images, truth):
    assert probal("init", "p", "--images", images, "--classes", "red,green").exit_code == 0
    images.rename(images.with_name("gone"))
    result = probal("embed", "p")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "no such folder" in result.stderr


def test_init_with_auto_says_which_encoder_it_is_and_why(probal, images, truth, monkeypatch):
    choice = EncoderChoice("embedded", "the others are out of reach")
    monkeypatch.setattr("probal.encoders.registry.choose_encoder", lambda: choice)
    result = probal("init", "p", "--images", images, "--classes", "red,green", "--encoder", "auto")
    assert result.exit_code == 0
    assert "Encoder: embedded; the others are out of reach." in result.stderr
    assert probal("init", "q", "--images", images, "--classes", "red,green").stderr.count("Encoder") == 0
