"""The confidence sequence: exact against the whole grid, and right at all looks at once."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from probal.evaluation import anytime_interval, spent_level


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int]:
    population = draw(st.integers(1, 80))
    n = draw(st.integers(0, population))
    return draw(st.integers(0, n)), n, population


@given(counts(), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_it_is_the_set_where_the_prior_posterior_ratio_is_small(drawn: tuple[int, int, int], level: float):
    correct, n, population = drawn
    every = np.arange(population + 1)
    prior = np.full(population + 1, -math.log(population + 1))
    posterior = betabinom.logpmf(every - correct, population - n, 1 + correct, 1 + n - correct)
    inside = every[prior - posterior < -math.log(1 - level)]
    low, high = anytime_interval(correct, n, population, level)
    assert (low * population, high * population) == pytest.approx((inside.min(), inside.max()))


@given(counts())
def test_it_contains_the_estimate_and_mirrors(drawn: tuple[int, int, int]):
    correct, n, population = drawn
    low, high = anytime_interval(correct, n, population)
    if n:
        assert low <= math.ceil(correct / n * population) / population
        assert high >= math.floor(correct / n * population) / population
    mirrored = anytime_interval(n - correct, n, population)
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_it_has_no_width_when_all_is_seen_and_knows_nothing_at_first():
    assert anytime_interval(0, 0, 50) == (0.0, 1.0)
    assert anytime_interval(37, 50, 50) == (0.74, 0.74)


def test_a_large_population_is_an_infinite_one():
    assert anytime_interval(85, 100, 10**7) == pytest.approx(anytime_interval(85, 100), abs=1e-5)


@pytest.mark.parametrize(("population", "share"), [(60, 0.5), (300, 0.9), (None, 0.8)])
def test_it_covers_at_all_looks_at_once(population: int | None, share: float):
    rng = np.random.default_rng(7)
    replicates, failures, level, n = 400, 0, 0.8, 50
    for _ in range(replicates):
        if population is None:
            hits, truth = rng.random(n) < share, share
        else:
            world = np.arange(population) < round(share * population)
            hits, truth = rng.permutation(world)[:n], world.mean()
        looks = [
            anytime_interval(correct, i, population, level)
            for i, correct in enumerate(np.cumsum(hits).tolist(), 1)
        ]
        failures += any(not low - 1e-12 <= truth <= high + 1e-12 for low, high in looks)
    # three standard errors of a share of 0.2
    assert failures / replicates <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / replicates)


def test_the_spent_levels_sum_to_the_level():
    spent = sum(1 - spent_level(look, 0.9) for look in range(100_000))
    assert spent == pytest.approx(0.1, abs=1e-5)
    assert spent_level(0, 0.9) == pytest.approx(0.95)


@pytest.mark.parametrize("bad", [(3, 2, 10), (-1, 2, 10), (1, 5, 4)])
def test_counts_that_do_not_fit(bad: tuple[int, int, int]):
    with pytest.raises(ValueError, match="correct"):
        anytime_interval(*bad)


def test_bad_arguments():
    with pytest.raises(ValueError, match="level"):
        anytime_interval(1, 2, 3, 1.0)
    with pytest.raises(ValueError, match="look"):
        spent_level(-1)
