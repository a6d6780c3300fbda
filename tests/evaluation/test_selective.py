"""Risk–coverage, AURC and AUROC of errors against brute force, and the laws that they obey."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from probal.evaluation import aurc, auroc, risk_coverage

outcomes = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40)


def split(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(c) for c, _ in pairs]), np.array([right for _, right in pairs])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_the_curve_is_the_mean_over_all_orders_of_the_ties(pairs: list[tuple[int, bool]]) -> None:
    confidence, correct = split(pairs)
    curves = []
    for order in itertools.permutations(range(len(pairs))):
        ranked = np.array(order)
        if (np.diff(confidence[ranked]) <= 0).all():
            wrong = ~correct[ranked]
            curves.append([wrong[: m + 1].mean() for m in range(len(pairs))])
    curve = risk_coverage(confidence, correct)
    np.testing.assert_allclose(curve.risk, np.mean(curves, 0), atol=1e-12)
    np.testing.assert_allclose(curve.coverage, np.arange(1, len(pairs) + 1) / len(pairs))
    assert curve.aurc == pytest.approx(np.mean(curves))


@settings(max_examples=80)
@given(outcomes)
def test_auroc_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    score, wrong = split(pairs)
    if wrong.all() or not wrong.any():
        assert np.isnan(auroc(score, wrong))
        return
    gaps = score[wrong][:, None] - score[~wrong]
    want = np.mean((gaps > 0) + 0.5 * (gaps == 0))
    assert auroc(score, wrong) == pytest.approx(want)
    assert auroc(score, wrong.astype(float)) == pytest.approx(roc_auc_score(wrong, score))
    assert auroc(-score, wrong) == pytest.approx(1 - want)


@settings(max_examples=80)
@given(outcomes)
def test_laws(pairs: list[tuple[int, bool]]) -> None:
    confidence, correct = split(pairs)
    error = float((~correct).mean())
    area = aurc(confidence, correct)
    order = np.random.default_rng(len(pairs)).permutation(len(pairs))
    assert aurc(confidence[order], correct[order]) == pytest.approx(area)
    assert aurc(np.exp(confidence), correct) == pytest.approx(area)  # only the ranking matters
    assert risk_coverage(confidence, correct).risk[-1] == pytest.approx(error)
    assert aurc(np.zeros(len(pairs)), correct) == pytest.approx(error)  # a useless confidence
    assert aurc(correct.astype(float), correct) <= area + 1e-12
    assert aurc(-correct.astype(float), correct) >= area - 1e-12


def test_by_hand() -> None:
    curve = risk_coverage([0.9, 0.8, 0.7, 0.6], np.array([True, False, True, False]))
    np.testing.assert_allclose(curve.risk, [0, 1 / 2, 1 / 3, 1 / 2])
    np.testing.assert_allclose(curve.confidence, [0.9, 0.8, 0.7, 0.6])
    assert auroc([0.1, 0.2, 0.3, 0.4], np.array([False, True, False, True])) == 0.75


@pytest.mark.parametrize("measure", [risk_coverage, aurc, auroc])
def test_what_does_not_fit_is_refused(measure: object) -> None:
    assert callable(measure)
    with pytest.raises(ValueError, match=r"must be \[N\]"):
        measure([0.5, 0.4], [True])
    with pytest.raises(ValueError, match="no images"):
        measure([], np.array([], dtype=bool))
    with pytest.raises(ValueError, match="finite"):
        measure([0.5, np.nan], [True, False])
    if measure is not auroc:
        with pytest.raises(ValueError, match="booleans, got int64"):
            measure([0.5, 0.4], [1, 2])
