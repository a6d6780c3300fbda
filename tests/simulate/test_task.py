"""The conditions of a simulation: each changes what it says, by seed alone, and leaves the measuring images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from probal.errors import UserError
from probal.simulate import Conditions, Source, load_source, split
from probal.simulate.task import NO_CLASS
from tests.simulate.conftest import C, D, silent


@pytest.fixture
def source(path: Path) -> Source:
    return load_source(path, "embedded", None, None, silent)


def test_rows_are_normalized_in_float32_and_split_two_to_one(source: Source) -> None:
    task = split(source, seed=3)
    assert (len(task.pool_y), len(task.eval_y)) == (200, 100)
    for rows in (task.pool_x, task.eval_x, task.prototypes):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.array_equal(task.answers, task.pool_y)
    assert task.known.all()


def test_a_seed_is_one_task(source: Source) -> None:
    worst = Conditions(noise=0.3, imbalance=4, duplicates=0.3, outliers=1, unknown_classes=1)
    first, again, other = split(source, 0, worst), split(source, 0, worst), split(source, 1, worst)
    for name in ("pool_x", "pool_y", "answers", "eval_x", "eval_y", "prototypes", "known"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.eval_x, other.eval_x)


def test_noise_changes_so_many_answers_and_nothing_else(source: Source) -> None:
    clean, noisy = split(source, 0), split(source, 0, Conditions(noise=0.2))
    assert np.array_equal(clean.pool_y, noisy.pool_y)
    assert np.array_equal(clean.eval_y, noisy.eval_y)
    wrong = (noisy.answers != noisy.pool_y).mean()
    assert abs(wrong - 0.2) < 3 * (0.2 * 0.8 / 200) ** 0.5
    assert set(noisy.answers) == set(range(C))


def test_a_long_tail(source: Source) -> None:
    before, after = split(source, 0), split(source, 0, Conditions(imbalance=10))
    shares = np.bincount(after.pool_y, minlength=C) / np.bincount(before.pool_y, minlength=C)
    np.testing.assert_allclose(np.sort(shares), 10 ** (-np.arange(C)[::-1] / (C - 1)), atol=0.02)
    assert np.array_equal(before.eval_y, after.eval_y)


def test_copies_are_near_and_of_the_same_class(source: Source) -> None:
    task = split(source, 0, Conditions(duplicates=0.25))
    originals, copies = task.pool_x[:200], task.pool_x[200:]
    assert len(copies) / len(task.pool_x) == pytest.approx(0.25, abs=0.005)
    cosine = copies @ originals.T
    assert cosine.max(1).min() > 0.997
    assert np.array_equal(task.pool_y[cosine.argmax(1)], task.pool_y[200:])


def test_outliers_stay_in_the_pool_and_nowhere_else(source: Source) -> None:
    task = split(source, 0, Conditions(outliers=1, noise=0.5))
    assert len(task.pool_x) == 200
    assert task.prototypes.shape == (C - 1, D)
    flagged = task.answers == NO_CLASS
    assert np.array_equal(flagged, task.pool_y == NO_CLASS)
    assert 20 < flagged.sum() < 90
    assert set(task.eval_y) == set(range(C - 1))
    # the classes that are left keep their own text
    cosine = task.pool_x @ split(source, 0).prototypes.T
    assert np.array_equal(
        np.sort((task.pool_x @ task.prototypes.T)[0]), np.sort(np.delete(cosine[0], _gone(source, task)))
    )


def _gone(source: Source, task) -> int:
    """The class that was taken off the list: that of the flagged rows."""
    (gone,) = set(split(source, 0).pool_y[task.pool_y == NO_CLASS].tolist())
    return gone


def test_unknown_classes_and_no_prior(source: Source) -> None:
    task = split(source, 0, Conditions(unknown_classes=2, no_prior=True))
    assert task.known.sum() == 2
    assert not task.prototypes.any()
    assert task.scale == source.scale


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"noise": 1.0}, "noise is a share"),
        ({"imbalance": 0.5}, "imbalance is the largest class"),
        ({"imbalance": float("nan")}, "imbalance is the largest class"),
        ({"duplicates": -0.1}, "duplicates is a share"),
        ({"outliers": -1}, "0 or more"),
        ({"outliers": 2, "unknown_classes": 1}, "1 are left and at least 2 are needed"),
    ],
)
def test_what_makes_no_sense_is_told(source: Source, wrong: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        split(source, 0, Conditions(**wrong))


def test_no_prior_to_forget(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", x=arrays["x"], y=arrays["y"])
    bare = load_source(tmp_path / "bare.npz", "embedded", None, None, silent)
    with pytest.raises(UserError, match="no class texts"):
        split(bare, 0, Conditions(no_prior=True))
