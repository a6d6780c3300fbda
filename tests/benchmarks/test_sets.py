"""The sets that need no files, and what is said of those that do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.sets import SETS, _large_classes, load_sets, split_by_seed
from probal.errors import UserError
from probal.simulate import Source, split


def test_digits_come_with_scikit_learn(tmp_path: Path):
    ((each, source),) = load_sets(["digits"], tmp_path)
    assert (source.name, len(source.classes), each.budget) == ("digits", 10, 200)
    task = split(source, 0)
    assert task.pool_x.shape == (1198, 64)
    np.testing.assert_allclose(np.linalg.norm(task.pool_x, axis=1), 1, atol=1e-6)
    assert not task.prototypes.any()


def test_small_classes_leave_with_their_pictures_and_texts():
    y = np.array([0, 0, 1, 2, 2, 2, 3, 3])
    x = np.arange(16.0).reshape(8, 2)
    source = Source("s", "e", ("a", "b", "c", "d"), x, y, None, None, np.eye(4), 15.0, False)
    found = _large_classes(source, smallest=2, without={"d"})
    assert found.classes == ("a", "c")
    assert found.y.tolist() == [0, 0, 1, 1, 1]
    assert np.array_equal(found.x, x[[0, 1, 3, 4, 5]])
    assert found.text_x is not None
    assert np.array_equal(found.text_x, np.eye(4)[[0, 2]])


def test_a_fixed_pool_is_drawn_anew_by_each_seed():
    x, y = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2
    fixed = Source("s", "e", ("a", "b"), x[:5], y[:5], x[5:], y[5:], None, 15.0, False)
    found = split_by_seed(fixed)
    assert np.array_equal(found.x, x)
    assert np.array_equal(found.y, y)
    pools = [split(found, seed).pool_x for seed in (0, 1)]
    assert pools[0].shape == (5, 3)
    assert not np.array_equal(pools[0], pools[1])
    assert np.array_equal(split(fixed, 0).pool_x, split(fixed, 1).pool_x)
    assert split_by_seed(found) is found


def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PROBAL_BENCH_DATA", raising=False)
    with pytest.raises(UserError, match="unknown set 'mnist'; known sets: clothing"):
        load_sets(["mnist"], tmp_path)
    with pytest.raises(UserError, match="--data DIR or set PROBAL_BENCH_DATA"):
        load_sets(["digits"], None)
    with pytest.raises(UserError, match=r"pets_vitb32\.npz is neither a folder nor an \.npz"):
        load_sets(["pets"], tmp_path)
    assert all(each.batch_size < each.budget for each in SETS.values())
