"""The loop in a terminal on vectors that exist already: with pictures, without, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from probal.store import Store

CLASSES = ("cat", "dog", "cow")
N, D = 120, 16


@pytest.fixture(scope="module")
def world() -> dict[str, np.ndarray]:
    """Vectors around three class directions that the text rows know roughly."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(D, 3)))[0].T
    y = rng.integers(0, 3, N)
    x = 3 * directions[y] + rng.normal(0, 0.6, (N, D))
    return {"x": x.astype(np.float32), "y": y, "text_x": directions + rng.normal(0, 0.2, (3, D))}


def labels_file(file: Path, rows: Mapping[str, str], key: str = "path") -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([(key, "label"), *rows.items()])
    return file


def read(probal, *words: object):
    result = probal(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def names_and_pictures(folder: Path) -> list[str]:
    folder.mkdir()
    names = [f"{i:03d}.png" for i in range(N)]
    for i, name in enumerate(names):
        Image.new("RGB", (8, 8), (i, 2 * i, 0)).save(folder / name)
    Image.new("RGB", (8, 8), "white").save(folder / "without-a-vector.png")
    return names


@pytest.mark.parametrize("with_pictures", [False, True])
def test_the_whole_loop(probal, world, tmp_path, with_pictures):
    names = names_and_pictures(tmp_path / "pictures") if with_pictures else [f"item {i}" for i in range(N)]
    np.savez(tmp_path / "own.npz", path=names, classnames=CLASSES, **world)
    options = ["--images", tmp_path / "pictures"] if with_pictures else []
    made = probal("init", "own", "--vectors", tmp_path / "own.npz", *options)
    assert made.exit_code == 0, made.stderr
    assert "120 vectors, 16 wide" in made.stderr
    assert "3 classes, their rows of text_x as prior, logit scale 100" in made.stderr
    assert "labels y, which were not read" in made.stderr
    (tmp_path / "own.npz").rename(tmp_path / "moved.npz")  # the project has its copy

    assert probal("embed", "own").exit_code == 0
    status = read(probal, "status", "own")
    assert (status["images"]["ok"], status["audit_total"]) == (N, 30)
    truth = {name: CLASSES[y] for name, y in zip(names, world["y"], strict=True)}
    rows = read(probal, "next", "own", "-n", "10")
    guesses = [row["predicted"][0][0] == truth[row["path"]] for row in rows]
    assert np.mean(guesses) > 0.5  # chance is a third: the prior is read

    chosen = {row["path"]: truth[row["path"]] for row in rows}
    chosen |= dict(list(truth.items())[:60])
    key = "path" if with_pictures else "id"
    labeled = probal("label", "own", labels_file(tmp_path / "labels.csv", chosen, key))
    assert labeled.exit_code == 0, labeled.stderr
    assert read(probal, "status", "own")["metrics"]["accuracy"]["value"] > 0.8

    assert probal("predict", "own", "--to", tmp_path / "predicted.csv").exit_code == 0
    frame = pd.read_csv(tmp_path / "predicted.csv")
    assert len(frame) == N
    assert (frame["predicted"] == frame["path"].map(truth)).mean() > 0.9

    assert probal("export", "own", "--to", tmp_path / "out").exit_code == 0
    folders = probal("export", "own", "--to", tmp_path / "folders", "--format", "imagefolder")
    assert folders.exit_code == (0 if with_pictures else 2)
    assert with_pictures or "needs images" in folders.stderr
    simulated = probal(
        "simulate", tmp_path / "moved.npz", "--budget", "10", "--seeds", "1", "--json", tmp_path / "s"
    )
    assert simulated.exit_code == 0


def test_without_a_prior_and_from_parquet(probal, world, tmp_path):
    frame = pd.DataFrame({"id": range(N), "vector": list(world["x"])})
    frame.to_parquet(tmp_path / "own.parquet")
    made = probal("init", "own", "--vectors", tmp_path / "own.parquet", "--classes", ",".join(CLASSES))
    assert made.exit_code == 0, made.stderr
    assert "without pictures; 3 classes, no prior, logit scale 15" in made.stderr
    assert probal("embed", "own").exit_code == 0
    (first, *_) = read(probal, "next", "own", "-n", "5")
    assert [p for _, p in first["predicted"]] == pytest.approx([1 / 3] * 3, abs=1e-2)
    assert first["path"].isdigit()
    truth = {str(i): CLASSES[y] for i, y in enumerate(world["y"])}
    assert probal("label", "own", labels_file(tmp_path / "labels.csv", truth, "id")).exit_code == 0
    assert read(probal, "status", "own")["metrics"]["accuracy"]["value"] > 0.8
    assert "vectors without pictures" in probal("status", "own").stdout


def test_class_rows_follow_the_names_given(probal, workspace, world, tmp_path):
    np.savez(tmp_path / "own.npz", classnames=CLASSES, **world)
    assert probal("init", "own", "--vectors", tmp_path / "own.npz", "--classes", "cow,cat").exit_code == 0
    assert probal("embed", "own").exit_code == 0
    rows = {row["path"]: row["predicted"] for row in read(probal, "next", "own", "-n", "90")}
    cows = [i for i in map(int, rows) if world["y"][i] == 2]
    assert np.mean([rows[str(i)][0][0] == "cow" for i in cows]) > 0.8
    with Store.open(workspace / "probal.sqlite") as store:
        project = store.project("own")
        assert [(each.name, each.prompt) for each in store.classes(project.id)] == [
            ("cow", "cow"),
            ("cat", "cat"),
        ]


@pytest.mark.parametrize(
    "words",
    [
        ("prompt", "own", "cat", "a cat"),
        ("preview", "own", "cat", "a cat"),
        ("add", "own", "dog", "--prompt", "a dog"),
    ],
)
def test_no_prompt_where_no_encoder_reads_it(probal, tmp_path, words):
    np.savez(tmp_path / "own.npz", x=np.eye(40, dtype=np.float32))
    assert probal("init", "own", "--vectors", tmp_path / "own.npz", "--classes", "cow,cat").exit_code == 0
    refused = probal("classes", *words)
    assert (refused.exit_code, "no encoder reads a prompt" in refused.stderr) == (2, True)
    assert probal("classes", "prompt", "own", "cat", "").exit_code == 0


def test_equal_vectors_are_one_item(probal, tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 4))
    np.savez(tmp_path / "own.npz", x=np.concatenate([x, x[:7]]))
    assert probal("init", "own", "--vectors", tmp_path / "own.npz", "--classes", "a,b").exit_code == 0
    assert probal("embed", "own").exit_code == 0
    assert probal("embed", "own").exit_code == 0
    images = read(probal, "status", "own")["images"]
    assert (images["ok"], images["duplicate"]) == (50, 7)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--classes", "a,b", "--encoder", "embedded"], "--encoder does not go with --vectors"),
        (["--classes", "a,b", "--prompt", "a {}"], "--prompt does not go with --vectors"),
        ([], "an array `classnames` in the file of vectors"),
        (["--classes", "a"], "at least two are needed"),
        (["--classes", "a,b", "--images", "TMP/pictures"], "add an array or column `path`"),
        (["--classes", "a,b", "--images", "TMP/none"], "no such folder"),
    ],
)
def test_what_does_not_go_together(probal, world, tmp_path, words, told):
    names_and_pictures(tmp_path / "pictures")
    np.savez(tmp_path / "own.npz", x=world["x"])
    result = probal(
        "init",
        "own",
        "--vectors",
        tmp_path / "own.npz",
        *(word.replace("TMP", str(tmp_path)) for word in words),
    )
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert probal("status", "own").exit_code == 2


@pytest.mark.parametrize(
    ("arrays", "classes", "told"),
    [
        ({"classnames": CLASSES}, "cat,horse", "the class 'horse' has no row in text_x (1 such)"),
        ({}, "cat,dog", "text_x has 3 rows for 2 classes"),
    ],
)
def test_classes_without_their_row(probal, world, tmp_path, arrays, classes, told):
    np.savez(tmp_path / "own.npz", **world, **arrays)
    result = probal("init", "own", "--vectors", tmp_path / "own.npz", "--classes", classes)
    assert result.exit_code == 2
    assert told in result.stderr


def test_neither_images_nor_vectors(probal):
    result = probal("init", "own", "--classes", "a,b")
    assert result.exit_code == 2
    assert "(--images), a file of vectors (--vectors), or both" in result.stderr
