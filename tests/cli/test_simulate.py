from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def vectors(tmp_path):
    """Three well separated classes in eight dimensions."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    x = rng.normal(0, 0.4, (120, 8)) + np.eye(8)[y]
    np.savez(tmp_path / "vectors.npz", x=x.astype(np.float32), y=y)
    return tmp_path / "vectors.npz"


def test_curves_table_and_plot(probal, vectors, tmp_path):
    out, page = tmp_path / "curves.json", tmp_path / "curves.html"
    result = probal(
        "simulate", vectors, "--strategies", "auto,random", "--batch-size", 6, "--budget", 12, "--seeds", 2,
        "--json", out, "--plot", page,
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


def test_keys_that_the_file_does_not_have(probal, vectors):
    result = probal("simulate", vectors, "--pool-key", "train", "--eval-key", "test")
    assert result.exit_code == 2
    assert "train_x" in result.stderr
    assert result.stderr.count("\n") == 1
