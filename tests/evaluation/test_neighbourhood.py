"""Neighbours against all distances, and the average against the formula and a linear model's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from probal.evaluation import neighbourhood
from probal.evaluation.neighbourhood import nearest, with_neighbours

N, C, D = 60, 4, 7


def drawn(seed: int = 0, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 1.0, (n, D)).astype(np.float32)


def by_all_distances(x: np.ndarray, k: int) -> list[set[int]]:
    moved = x - x.mean(0)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    cosine = moved @ moved.T
    np.fill_diagonal(cosine, -np.inf)
    return [set(row[:k].tolist()) for row in np.argsort(-cosine, axis=1)]


def test_the_nearest_are_those_of_all_distances() -> None:
    x = drawn()
    found = nearest(x, 5)
    assert found.shape == (N, 5)
    assert [set(row.tolist()) for row in found] == by_all_distances(x, 5)


def test_of_a_large_pool_nearly_all_are_found_and_again_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = drawn(1, 400)
    monkeypatch.setattr(neighbourhood, "_EXACT", 100)
    found = nearest(x, 5, seed=3)
    assert not (found == np.arange(400)[:, None]).any()
    hits = [
        len(set(row.tolist()) & wanted) for row, wanted in zip(found, by_all_distances(x, 5), strict=True)
    ]
    assert np.mean(hits) > 4.5
    np.testing.assert_array_equal(found, nearest(x, 5, seed=3))


def test_copies_that_push_a_row_out_of_its_own_list_cost_the_farthest() -> None:
    index = np.array([[0, 1, 2], [2, 1, 0], [0, 1, 3]])
    np.testing.assert_array_equal(neighbourhood._others(index, 2), [[1, 2], [2, 0], [0, 1]])


def test_a_place_that_the_descent_did_not_fill_is_the_row_itself() -> None:
    index = np.array([[0, 1, -1], [1, -1, -1]])
    np.testing.assert_array_equal(neighbourhood._others(index, 2), [[1, 0], [1, 1]])


def test_few_images_have_as_many_neighbours_as_there_are() -> None:
    assert nearest(drawn(n=3), 10).shape == (3, 2)
    assert nearest(drawn(n=1), 10).shape == (1, 0)
    assert nearest(drawn(n=0), 10).shape == (0, 0)
    probs = np.array([[0.2, 0.8]])
    np.testing.assert_array_equal(with_neighbours(probs, nearest(drawn(n=1), 10)), probs)


def test_equal_images_are_no_error() -> None:
    found = nearest(np.ones((5, D), np.float32), 2)
    assert found.shape == (5, 2)


def test_a_linear_models_average_is_that_of_moved_vectors() -> None:
    """softmax(W x) averaged in the logarithm is softmax(W x̃), x̃ = (1 − a) x + a · mean of the neighbours."""
    x, w = drawn(2).astype(np.float64), np.random.default_rng(3).normal(size=(C, D))
    near = nearest(x.astype(np.float32), 6)

    def softmax(z: np.ndarray) -> np.ndarray:
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    moved = 0.6 * x + 0.4 * x[near].mean(1)
    np.testing.assert_allclose(with_neighbours(softmax(x @ w.T), near, 0.4), softmax(moved @ w.T), rtol=1e-9)


@given(arrays(np.float64, (8, 3), elements=st.floats(0, 1)), st.floats(0, 1))
def test_probabilities_stay_probabilities_and_agreement_is_kept(weights: np.ndarray, share: float) -> None:
    probs = (weights + 1e-12) / (weights + 1e-12).sum(1, keepdims=True)
    near = np.array([[(i + 1) % 8, (i + 3) % 8] for i in range(8)])
    found = with_neighbours(probs, near, share)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(1), 1)
    same = np.repeat(probs[:1], 8, axis=0)
    np.testing.assert_allclose(with_neighbours(same, near, share), same, atol=1e-9)


def test_what_does_not_fit_is_told() -> None:
    probs, near = np.full((3, 2), 0.5), np.zeros((3, 1), np.int64)
    with pytest.raises(ValueError, match="at least one neighbour"):
        nearest(drawn(), 0)
    with pytest.raises(ValueError, match="a share"):
        with_neighbours(probs, near, 1.5)
    with pytest.raises(ValueError, match=r"\[N,K\]"):
        with_neighbours(probs, near[:2])
    with pytest.raises(ValueError, match=r"\[N,C\]"):
        with_neighbours(probs[0], near[:2])
    with pytest.raises(ValueError, match="rows from 0 to 2"):
        with_neighbours(probs, near - 1)
    with pytest.raises(FloatingPointError, match="not finite"):
        with_neighbours(probs * np.nan, near)
