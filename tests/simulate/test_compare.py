"""Comparison of learning curves: hand-worked ratios, Student's intervals, pairing, ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from probal.simulate.compare import (
    NEVER,
    Curve,
    area_difference,
    area_under,
    curve,
    drop_below_start,
    estimate,
    final_difference,
    gains,
    geometric_mean,
    label_ratio,
    label_ratio_estimate,
    mean_ranks,
    paired,
)

LABELS = np.array([0, 10, 20, 30, 40])


def made(*rows: list[float], seeds: tuple[int, ...] = ()) -> Curve:
    values = np.array(rows)
    return Curve(10 * np.arange(values.shape[1]), seeds or tuple(range(len(rows))), values)


def test_area_is_the_mean_height_of_the_curve():
    assert area_under([0, 10, 20], [0.5, 0.5, 0.5]) == pytest.approx(0.5)
    assert area_under([0, 20], [0.0, 1.0]) == pytest.approx(0.5)
    assert area_under([0, 10, 30], [0.0, 1.0, 1.0]) == pytest.approx((5 + 20) / 30)
    assert area_under([0], [0.4]) == 0.4


def test_interval_is_students():
    values = [0.1, 0.4, 0.2, 0.9]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = estimate(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert estimate([0.3]).low is None


def test_differences_are_paired_by_seed():
    one = made([0.5, 0.7, 0.9], [0.5, 0.6, 0.8], [0.5, 0.8, 0.8])
    other = made([0.5, 0.5, 0.6], [0.5, 0.6, 0.8], [0.5, 0.6, 0.7], seeds=(1, 0, 2))
    differences = np.array([0.7 - 0.625, 0.625 - 0.525, 0.725 - 0.6])
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    found = area_difference(one, other)
    assert found.mean == pytest.approx(differences.mean())
    assert found.low == pytest.approx(expected.low)
    assert final_difference(one, other).mean == pytest.approx(np.mean([0.1, 0.2, 0.1]))
    with pytest.raises(ValueError, match="share no seed"):
        paired(one, made([0.5, 0.5], seeds=(9,)))


def test_of_unequal_curves_the_shared_range_counts():
    long, short = made([0.0, 0.2, 0.4]), made([0.0, 0.3])
    assert area_difference(long, short).mean == pytest.approx(0.1 - 0.15)
    assert final_difference(long, short).mean == pytest.approx(-0.1)


def test_a_budget_between_two_rounds_is_interpolated():
    cut = made([0.1, 0.3, 0.7]).upto(15)
    assert cut.labels.tolist() == [0, 10, 15]
    assert cut.values[0].tolist() == pytest.approx([0.1, 0.3, 0.5])
    assert cut.upto(99) is cut


def test_runs_become_a_curve_as_long_as_the_shortest():
    runs = [
        {"seed": 1, "labels": [0, 10], "accuracy": [0.5, 0.7]},
        {"seed": 0, "labels": [0], "accuracy": [0.4]},
    ]
    found = curve(runs)
    assert found.seeds == (0, 1)
    assert found.values.tolist() == [[0.4], [0.5]]


def test_runs_that_end_at_different_labels_are_cut_at_the_last_that_all_have():
    runs = [
        {"seed": 0, "labels": [0, 10, 20, 27], "accuracy": [0.1, 0.2, 0.3, 0.44]},
        {"seed": 1, "labels": [0, 10, 20, 26], "accuracy": [0.1, 0.2, 0.3, 0.5]},
    ]
    found = curve(runs)
    assert found.labels.tolist() == [0, 10, 20, 26]
    assert found.values[:, -1].tolist() == pytest.approx([0.42, 0.5])
    with pytest.raises(ValueError, match="different labels"):
        curve([*runs, {"seed": 2, "labels": [0, 9, 18, 27], "accuracy": [0.1, 0.2, 0.3, 0.4]}])


@pytest.mark.parametrize(
    ("accuracy", "target", "expected"),
    [
        ([0.5, 0.6, 0.7, 0.8, 0.9], 0.75, 25 / 40),
        ([0.5, 0.6, 0.7, 0.8, 0.9], 0.9, 1.0),
        ([0.5, 0.6, 0.7, 0.8, 0.9], 0.91, NEVER),
        ([0.5, 0.9, 0.9, 0.9, 0.9], 0.6, 10 / 40),  # reached at 2.5 labels, known after the first batch
        ([0.9, 0.9, 0.9, 0.9, 0.9], 0.6, 10 / 40),  # reached without a label
        ([0.5, 0.8, 0.6, 0.7, 0.9], 0.8, 35 / 40),  # a bump: the isotonic curve is .7 over the three rounds
        ([0.5, 0.7, 0.7, 0.7, 0.7], 0.7, 10 / 40),
    ],
)
def test_label_ratio_by_hand(accuracy: list[float], target: float, expected: float):
    assert label_ratio(LABELS, np.array(accuracy), target, batch=10) == pytest.approx(expected)


@given(
    st.lists(st.floats(0, 1), min_size=5, max_size=5), st.lists(st.floats(0, 1), min_size=5, max_size=5),
    st.floats(0, 1),
)  # fmt: skip
def test_a_higher_curve_never_needs_more_labels(low: list[float], lift: list[float], target: float):
    one, other = np.array(low), np.array(low) + np.array(lift)
    ratio = label_ratio(LABELS, one, target, 10)
    assert label_ratio(LABELS, other, target, 10) <= ratio + 1e-9
    assert 0.25 <= ratio <= NEVER
    assert label_ratio(LABELS, one, float(one[-1]), 10) <= 1


def test_the_interval_of_a_ratio_resamples_both_curves():
    rng = np.random.default_rng(0)
    steady = np.linspace(0.5, 0.9, 5)
    noise = 0.02 * rng.normal(size=(20, 1)) * np.array([0, 1, 1, 1, 1])
    random = made(*(steady + noise))
    found = label_ratio_estimate(random, random, 10, np.random.default_rng(1))
    assert (found.mean, found.low, found.high) == pytest.approx((1, 1, 1))
    faster = made(*(np.linspace(0.5, 1.1, 5) + 0.02 * rng.normal(size=(20, 5))))
    found = label_ratio_estimate(faster, random, 10, np.random.default_rng(1))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(2 / 3, abs=0.05)
    assert label_ratio_estimate(made(list(steady)), made(list(steady)), 10, rng).low is None


def test_a_ratio_needs_a_gain_of_two_standard_errors():
    assert gains(made([0.5, 0.6], [0.5, 0.62], [0.5, 0.58]))
    assert not gains(made([0.5, 0.6], [0.5, 0.4], [0.5, 0.52]))
    assert not gains(made([0.5, 0.4], [0.5, 0.4]))
    assert not gains(made([0.5, 0.5], [0.5, 0.5]))
    assert gains(made([0.5, 0.6]))


def test_geometric_mean():
    assert geometric_mean([0.2, 0.8]) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="no set"):
        geometric_mean([])


def test_the_deepest_drop_below_the_start():
    drop = drop_below_start(made([0.9, 0.85, 0.95], [0.9, 0.93, 0.96]))
    assert drop.mean == pytest.approx(0.01)
    assert drop.worst == pytest.approx(0.05)
    assert drop_below_start(made([0.5, 0.6])).worst == 0


def test_mean_ranks_share_ties():
    assert mean_ranks([{"a": 0.9, "b": 0.8, "c": 0.8}, {"a": 0.1, "b": 0.2, "c": 0.3}]) == {
        "a": 2.0, "b": 2.25, "c": 1.75
    }  # fmt: skip
    with pytest.raises(ValueError, match="same names"):
        mean_ranks([{"a": 1.0}, {"b": 1.0}])
