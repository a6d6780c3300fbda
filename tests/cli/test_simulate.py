from __future__ import annotations

import json

import numpy as np
import pytest

from probal import pace


@pytest.fixture
def vectors(tmp_path):
    """Three well separated classes in eight dimensions."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    x = rng.normal(0, 0.4, (120, 8)) + np.eye(8)[y]
    np.savez(tmp_path / "vectors.npz", x=x.astype(np.float32), y=y)
    return tmp_path / "vectors.npz"


def test_curves_table_and_plot(probal, vectors, tmp_path):
    out, page, rows = (tmp_path / f"curves.{ending}" for ending in ("json", "html", "parquet"))
    result = probal(
        "simulate", vectors, "--strategies", "auto,random", "--batch-size", 6, "--budget", 12, "--seeds", 2,
        "--json", out, "--plot", page, "--parquet", rows,
    )  # fmt: skip
    assert result.exit_code == 0
    curves = json.loads(out.read_text())
    assert {(run["strategy"], run["seed"]) for run in curves["runs"]} == {
        (strategy, seed) for strategy in ("auto", "random") for seed in (0, 1)
    }
    assert all(run["labels"] == [0, 6, 12] for run in curves["runs"])
    assert "paired by seed" in result.stdout
    final = np.mean([run["accuracy"][-1] for run in curves["runs"] if run["strategy"] == "auto"])
    assert f"{100 * final:.1f}" in result.stdout
    assert "Plotly.newPlot" in page.read_text("utf-8")
    assert rows.read_bytes()[:4] == b"PAR1"
    assert len((tmp_path / "curves.runs.jsonl").read_text().splitlines()) == 4


def test_conditions_adapters_batches_and_budgets(probal, vectors, tmp_path):
    out = tmp_path / "curves.json"
    result = probal(
        "simulate", vectors, vectors, "--strategies", "random", "--adapter", "zero-shot,linear",
        "--batch-size", "3,6", "--budget", "12,6", "--seeds", 1, "--noise", 0.2, "--imbalance", 3,
        "--duplicates", 0.2, "--unknown-classes", 1, "--jobs", 1, "--json", out,
    )  # fmt: skip
    assert result.exit_code == 0
    runs = json.loads(out.read_text())["runs"]
    assert {(run["adapter"], run["batch_size"], run["labels"][-1]) for run in runs} == {
        (adapter, batch, 12) for adapter in ("zero-shot", "linear") for batch in (3, 6)
    }
    assert runs[0]["conditions"] == {"noise": 0.2, "imbalance": 3, "duplicates": 0.2, "unknown_classes": 1}
    assert "at 6" in result.stdout
    assert "at 12" in result.stdout


def test_pools_that_run_out_at_different_labels(probal, vectors, tmp_path):
    """A long tail keeps as many images as the seed's order of the classes has it."""
    out = tmp_path / "curves.json"
    result = probal(
        "simulate", vectors, "--strategies", "random,margin", "--adapter", "zero-shot", "--imbalance", 4,
        "--seeds", 3, "--jobs", 1, "--json", out, "--plot", tmp_path / "curves.html",
    )  # fmt: skip
    assert result.exit_code == 0
    ends = {run["labels"][-1] for run in json.loads(out.read_text())["runs"]}
    assert len(ends) > 1
    assert f"at {min(ends)}" in result.stdout


def test_curves_are_written_before_they_are_summed_up(probal, vectors, tmp_path, monkeypatch):
    def broken(runs):
        raise ValueError("cannot be summed up")

    monkeypatch.setattr("probal.simulate.summary.groups", broken)
    out, rows = tmp_path / "curves.json", tmp_path / "curves.parquet"
    with pytest.raises(ValueError, match="cannot be summed up"):
        probal(
            "simulate", vectors, "--strategies", "random", "--adapter", "zero-shot", "--budget", 6, "--seeds", 1,
            "--jobs", 1, "--json", out, "--parquet", rows,
        )  # fmt: skip
    assert len(json.loads(out.read_text())["runs"]) == 1
    assert rows.exists()


def test_conditions_that_the_source_cannot_meet(probal, vectors):
    result = probal("simulate", vectors, "--outliers", 1, "--unknown-classes", 1)
    assert result.exit_code == 2
    assert "has 3 classes: with 1 as outliers and 1 unknown at the start, 1 are left" in result.stderr
    assert result.stderr.count("\n") == 1


def test_keys_that_the_file_does_not_have(probal, vectors):
    result = probal("simulate", vectors, "--pool-key", "train", "--eval-key", "test")
    assert result.exit_code == 2
    assert "train_x" in result.stderr
    assert result.stderr.count("\n") == 1


def test_seconds_that_a_project_has_measured(probal, pool, vectors, tmp_path, monkeypatch):
    assert probal("init", "toy", "--images", pool, "--classes", "red,blue").exit_code == 0
    refused = probal("simulate", vectors, "--seconds", "toy")
    assert refused.exit_code == 2
    assert "'toy' has timed 0 of choose, 0 of confirm, and at least 20 images of each" in refused.stderr
    modes = {pace.CHOOSE: pace.Mode(4.0, 25), pace.CONFIRM: pace.Mode(1.25, 20)}
    monkeypatch.setattr(pace, "by_mode", lambda events: modes)
    out = tmp_path / "curves.json"
    made = probal(
        "simulate", vectors, "--seconds", "toy", "--strategies", "random", "--budget", 6, "--batch-size", 6,
        "--seeds", 1, "--jobs", 1, "--json", out,
    )  # fmt: skip
    assert made.exit_code == 0
    assert json.loads(out.read_text())["hands"] == {"choose": 4.0, "confirm": 1.25}
    assert "no project" in probal("simulate", vectors, "--seconds", "nobody").stderr
