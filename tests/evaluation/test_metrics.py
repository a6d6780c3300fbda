"""Metrics against scikit-learn and against hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from probal.evaluation import accuracy, debiased_ece, ece, nll, reliability


def predictions(n: int, c: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(c), n), rng.integers(c, size=n)


@settings(max_examples=50)
@given(n=st.integers(1, 60), c=st.integers(2, 7), seed=st.integers(0, 2**16))
def test_against_scikit_learn(n: int, c: int, seed: int) -> None:
    probs, labels = predictions(n, c, seed)
    assert accuracy(probs, labels) == accuracy_score(labels, probs.argmax(1))
    assert nll(probs, labels) == pytest.approx(log_loss(labels, probs, labels=np.arange(c)))
    single = probs.astype(np.float32)
    assert nll(single, labels) == pytest.approx(nll(probs, labels), rel=1e-4)


def test_limits() -> None:
    right, wrong = np.eye(3), np.eye(3)[[1, 2, 0]]
    labels = np.arange(3)
    assert (accuracy(right, labels), nll(right, labels), ece(right, labels)) == (1, 0, 0)
    assert (accuracy(wrong, labels), ece(wrong, labels)) == (0, 1)
    assert 80 < nll(wrong, labels) < 90


def test_ece_by_hand() -> None:
    # two images at 0.95, one right; two at 0.65, both right: ½·|½ − 0.95| + ½·|1 − 0.65|
    probs = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.65, 0.35]])
    labels = np.array([0, 1, 0, 0])
    assert ece(probs, labels, bins=10) == pytest.approx(0.4)
    assert ece(probs, labels, bins=1) == pytest.approx(abs(0.75 - 0.8))


def test_ece_does_not_depend_on_the_order_even_with_ties() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.choice([0.6, 0.7, 0.9], 50)
    probs, labels = np.stack([confidence, 1 - confidence], 1), rng.integers(2, size=50)
    order = rng.permutation(50)
    assert ece(probs, labels) == pytest.approx(ece(probs[order], labels[order]))


def test_calibrated_predictions_have_a_small_error() -> None:
    rng = np.random.default_rng(1)
    probs = rng.dirichlet(np.ones(4), 40_000)
    labels = (probs.cumsum(1) > rng.random((40_000, 1))).argmax(1)
    assert ece(probs, labels) < 0.015
    sharp = probs**3 / (probs**3).sum(1, keepdims=True)
    assert ece(sharp, labels) > 0.15


@pytest.mark.parametrize("n", [50, 400])
def test_debiased_ece_of_calibrated_predictions_is_zero_on_average(n: int) -> None:
    """Where the plain one is far above it, at every N."""
    rng = np.random.default_rng(3)
    plain, debiased = [], []
    for _ in range(60):
        probs = rng.dirichlet(np.ones(4), n)
        labels = (probs.cumsum(1) > rng.random((n, 1))).argmax(1)
        plain.append(ece(probs, labels))
        debiased.append(debiased_ece(probs, labels, generator=rng, n_draws=40))
    error = np.std(debiased) / 60**0.5
    assert abs(np.mean(debiased)) < 4 * error
    assert np.mean(plain) > 20 * error
    assert min(debiased) < 0  # not clipped


def test_debiased_ece_draws_whole_labels_and_repeats() -> None:
    probs, labels = predictions(80, 5, 2)
    rng = np.random.default_rng(0)
    drawn = [(probs.cumsum(1) > rng.random((80, 1))).argmax(1) for _ in range(4000)]
    want = ece(probs, labels) - np.mean([ece(probs, each) for each in drawn])
    assert debiased_ece(probs, labels, n_draws=4000) == pytest.approx(want, abs=0.003)
    assert debiased_ece(probs, labels) == debiased_ece(probs, labels)
    assert debiased_ece(probs, labels, generator=np.random.default_rng(5)) != debiased_ece(probs, labels)
    with pytest.raises(ValueError, match="n_draws"):
        debiased_ece(probs, labels, n_draws=0)


@pytest.mark.parametrize(
    ("probs", "labels", "message"),
    [
        (np.ones(3), np.zeros(3, int), "probs must be"),
        (np.ones((3, 1)), np.zeros(2, int), "probs must be"),
        (np.ones((0, 2)), np.zeros(0, int), "no images"),
        (np.full((2, 2), 0.5), np.zeros(2), "integers"),
        (np.full((2, 2), 0.5), np.array([0, 2]), "labels must be in 0…1"),
        (np.full((2, 2), 0.4), np.array([0, 1]), "sum to 1"),
        (np.array([[np.nan, 1.0]]), np.array([0]), "finite"),
    ],
)
@pytest.mark.parametrize("metric", [accuracy, nll, ece, debiased_ece])
def test_what_does_not_fit_is_named(metric, probs: np.ndarray, labels: np.ndarray, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        metric(probs, labels)


def test_ece_arguments() -> None:
    probs, labels = predictions(5, 2, 0)
    with pytest.raises(ValueError, match="bins"):
        ece(probs, labels, bins=0)


def test_reliability_points_are_means_of_their_bins() -> None:
    top = np.array([0.95, 0.91, 0.62, 0.6, 0.61])
    probs = np.stack([top, 1 - top], 1)
    labels = np.array([0, 1, 0, 1, 0])
    low, middle, high = reliability(probs, labels)
    assert low == pytest.approx((0.6, 0.0, 1))  # a bin holds its upper edge
    assert middle == pytest.approx((0.615, 1.0, 2))
    assert high == pytest.approx((0.93, 0.5, 2))


def test_reliability_points_add_up_to_the_calibration_error() -> None:
    rng = np.random.default_rng(3)
    probs = rng.dirichlet(np.ones(4), 300)
    labels = rng.integers(0, 4, 300)
    points = reliability(probs, labels, 15)
    gap = sum(n * abs(hits - confidence) for confidence, hits, n in points) / 300
    assert gap == pytest.approx(ece(probs, labels, 15))
