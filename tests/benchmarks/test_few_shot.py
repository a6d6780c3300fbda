"""The benchmark resumes, pairs its draws, and lets no method see a test label."""

import json
from pathlib import Path

import few_shot
import numpy as np
import pytest
import torch
from _few_shot_data import SETS, Draw, draw, most_shots
from _few_shot_methods import ENCODER_SCALE, METHODS, NAMES, SCALES, climb, fitted_scale
from _few_shot_table import METRICS, cell, write_tables

C, D = 3, 8


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A set of the shared folder's form, drawn."""
    rng = np.random.default_rng(0)
    text = rng.normal(size=(C, D))
    y = np.arange(90) % C
    x = text[y] + 0.5 * rng.normal(size=(90, D))
    (tmp_path / "clip_features").mkdir()
    file, pool, test = SETS["food10"]
    arrays = {
        f"{pool}_x": x[:60],
        f"{pool}_y": y[:60],
        f"{test}_x": x[60:],
        f"{test}_y": y[60:],
        "text_x": text,
    }
    np.savez(tmp_path / "clip_features" / f"{file}.npz", **arrays)
    return tmp_path


def run(data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    line = ["few_shot.py", "--data", str(data), "--out", str(out), "--sets", "food10", "--shots", "1", "4"]
    monkeypatch.setattr("sys.argv", [*line, "--methods", "zero-shot", "clap", *more])
    few_shot.main()


def test_an_interrupted_run_goes_on_where_it_stopped(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, table = tmp_path / "out.jsonl", tmp_path / "table.md"
    run(data, out, monkeypatch, "--seeds", "2")
    whole = few_shot.read(out)
    assert len(whole) == len({few_shot.key_of(each) for each in whole}) == 2 * 2 * 2
    out.write_text("\n".join(out.read_text().splitlines()[:5]) + '\n{"set": "food1')  # killed while writing
    run(data, out, monkeypatch, "--seeds", "2", "--table", str(table))
    again = few_shot.read(out)
    assert {few_shot.key_of(each) for each in again} == {few_shot.key_of(each) for each in whole}
    assert len(again) == len(whole)
    untimed = [{k: v for k, v in each.items() if "seconds" not in k} for each in (*whole, *again)]
    assert {json.dumps(each) for each in untimed[:8]} == {json.dumps(each) for each in untimed[8:]}
    assert "### food10" in table.read_text()
    assert "2 seeds" in table.read_text()


def test_draws_have_as_many_labels_a_class_and_depend_on_the_seed_alone(data: Path) -> None:
    first, again, other = (draw(data, "food10", 4, seed, 20) for seed in (0, 0, 1))
    assert torch.bincount(first.y).tolist() == [4, 4, 4]
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    assert first.test_x.shape == (20, D)
    assert most_shots(data, "food10") == 20
    assert torch.bincount(draw(data, "food10", 50, 0, 20).y).tolist() == [20, 20, 20]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "recipe"])
def test_no_method_reads_a_test_label(data: Path, method: str) -> None:
    labels = draw(data, "food10", 4, 0, 20)
    blind = Draw(labels.x, labels.y, labels.prototypes, labels.scale, labels.test_x, np.full(20, -1))
    assert torch.equal(METHODS[method](labels, 0)(), METHODS[method](blind, 0)())


def test_a_fitted_scale_trusts_a_useless_text_less(data: Path) -> None:
    labels = draw(data, "food10", 16, 0, 20)
    useless = Draw(
        labels.x, labels.y, labels.prototypes.roll(1, 0), labels.scale, labels.test_x, labels.test_y
    )
    assert fitted_scale(useless, 0) < fitted_scale(labels, 0)
    assert fitted_scale(labels, 0) in SCALES


def test_without_text_one_label_a_class_fits_no_scale(data: Path) -> None:
    labels = draw(data, "food10", 1, 0, 20)
    bare = Draw(labels.x, labels.y, torch.zeros(C, D), labels.scale, labels.test_x, labels.test_y)
    assert fitted_scale(bare, 0) == ENCODER_SCALE


def test_cells_are_means_with_students_interval() -> None:
    assert cell([0.1, 0.2, 0.3], 100, 1) == "20.0 ± 24.8"  # t = 4.303, sd 0.1, n = 3
    assert cell([0.5], 100, 1) == "50.0"
    assert cell([], 100, 1) == "–"


def test_tables_compare_only_what_every_method_has() -> None:
    """A method that ran on one seed less takes that seed out of the summary for all."""
    base = {"set": "pets", "shots": 1, "machine": "m", "fit_seconds": 1.0} | dict.fromkeys(METRICS, 0.5)
    results = [base | {"seed": seed, "method": "clap"} for seed in range(3)]
    results += [base | {"seed": seed, "method": "bayes", "accuracy": 0.7} for seed in range(2)]
    results[2]["accuracy"] = 0.0  # the seed that bayes lacks
    text = write_tables(results)
    assert "Shots 1; 2 seeds." in text
    results.append(base | {"seed": 0, "method": "tip", "accuracy": 0.1})
    text = write_tables(results)
    assert "Shots 1; 2 seeds." in text
    assert "Left out, with fits: Tip-Adapter (1 of 3)." in text
    assert f"| {NAMES['clap']} | 50.0 ± 0.0 |" in text
    assert f"| {NAMES['bayes']} | 70.0 ± 0.0 |" in text


@pytest.mark.parametrize("best", SCALES)
def test_climbing_finds_the_best_scale(best: float) -> None:
    asked = []

    def likelihood(scale: float) -> float:
        asked.append(scale)
        return -abs(float(np.log2(scale / best)))

    assert climb(likelihood, SCALES.index(ENCODER_SCALE)) == best
    assert len(asked) == len(set(asked))
