"""The audit set's size, its uniform draw, its growth, and the coverage of the interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from probal.errors import UserError
from probal.evaluation import accuracy_interval, audit_size, draw_audit, extend_audit


@pytest.mark.parametrize(
    ("pool", "asked", "size"),
    [
        (1000, 0.1, 100),
        (200, 0.1, 30),
        (60, 0.1, 30),
        (100_000, 0.1, 200),
        (40, 0.1, 20),  # half: a small pool keeps something to learn from
        (1, 0.1, 0),
        (0, 0.1, 0),
        (1000, 0.0, 0),
        (1000, 75, 75),
        (1000, 500, 500),
        (50, 75, 50),
        (50, 1, 1),
    ],
)
def test_size(pool: int, asked: float, size: int) -> None:
    assert audit_size(pool, asked) == size


@pytest.mark.parametrize("asked", [-0.1, -3, 1.5, 30.5, math.nan, math.inf])
def test_meaningless_size_is_a_users_mistake(asked: float) -> None:
    with pytest.raises(UserError, match="share of the pool below 1"):
        audit_size(100, asked)


def names(n: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{i:05d}" for i in range(n)]


def test_draw_repeats_and_knows_no_order() -> None:
    pool = names(100)
    drawn = draw_audit(pool, 10, seed=3)
    assert len(set(drawn)) == 10
    assert draw_audit(reversed(pool), 10, seed=3) == drawn
    assert draw_audit(pool + pool, 10, seed=3) == drawn
    assert draw_audit(pool, 10, seed=4) != drawn
    assert draw_audit(pool, 11, seed=3)[:10] == drawn
    assert sorted(draw_audit(pool, 100, seed=3)) == pool
    with pytest.raises(ValueError, match="cannot draw 101 of 100"):
        draw_audit(pool, 101, seed=3)


def chi_square(counts: np.ndarray) -> float:
    return float(((counts - counts.mean()) ** 2 / counts.mean()).sum())


def test_draw_is_uniform() -> None:
    pool = names(50)
    counts = dict.fromkeys(pool, 0)
    for seed in range(2000):
        for name in draw_audit(pool, 10, seed):
            counts[name] += 1
    # each count is binomial(2000, 0.2), so this is 0.8 times a chi-square of 49: mean 39, deviation 8
    assert 15 < chi_square(np.array(list(counts.values()))) < 75


@pytest.mark.parametrize("size", [20, 40])
def test_a_grown_pool_keeps_it_uniform_and_old_images_out(size: int) -> None:
    old, new = names(50, "old"), names(50, "new")
    counts = dict.fromkeys(old + new, 0)
    sizes = []
    for seed in range(2000):
        audit = draw_audit(old, 20, seed)
        grown = extend_audit(old + new, audit, size, seed)
        assert not set(grown) & (set(old) - set(audit))
        if size == 20:
            assert len(grown) == 20
        sizes.append(len(grown))
        for name in grown:
            counts[name] += 1
    share = np.array([counts[name] for name in old]).sum() / sum(counts.values())
    assert share == pytest.approx(0.5, abs=0.015)
    assert 55 < chi_square(np.array(list(counts.values()))) < 145
    assert np.mean(sizes) > 0.9 * size


def test_growth_without_an_audit_or_without_new_images() -> None:
    pool = names(40)
    audit = draw_audit(pool, 12, 0)
    assert extend_audit(pool, [], 12, 0) == []
    assert extend_audit(pool, audit, 12, 0) == audit
    assert extend_audit(pool, audit, 30, 0) == audit


def test_an_audit_image_that_is_gone_keeps_its_place_until_the_set_is_cut_below_it() -> None:
    pool = names(40)
    audit = draw_audit(pool, 12, 0)
    left = [name for name in pool if name not in (audit[4], audit[11])]
    assert extend_audit(left, audit, 12, 0) == audit
    assert extend_audit(left, audit, 10, 0) == audit
    assert extend_audit(left, audit, 9, 0) == audit[:10]
    assert extend_audit(left, audit, 0, 0) == [audit[4], audit[11]]


def test_interval_at_the_edges() -> None:
    assert accuracy_interval(0, 0) == (0, 1)
    assert accuracy_interval(0, 0, 50) == (0, 1)
    assert accuracy_interval(37, 50, 50) == (0.74, 0.74)
    low, high = accuracy_interval(30, 30, 31)
    assert (low, high) == (30 / 31, 1)
    assert accuracy_interval(0, 30, 31) == (0, 1 / 31)
    low, high = accuracy_interval(40, 40)
    assert high == 1
    assert 0.9 < low < 1
    assert accuracy_interval(0, 40)[0] == 0


def test_interval_is_wilsons_in_a_large_population() -> None:
    low, high = accuracy_interval(85, 100)
    assert (low, high) == pytest.approx((0.7672, 0.9069), abs=5e-5)  # Wilson by hand, z = 1.95996
    assert accuracy_interval(85, 100, 10**9) == pytest.approx((low, high), abs=1e-6)
    wide = accuracy_interval(85, 100, level=0.99)
    assert wide[0] < low
    assert wide[1] > high


@settings(max_examples=300)
@given(data=st.data(), population=st.integers(1, 400), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_interval_holds_the_estimate_and_only_what_is_possible(
    data: st.DataObject, population: int, level: float
) -> None:
    n = data.draw(st.integers(1, population))
    correct = data.draw(st.integers(0, n))
    low, high = accuracy_interval(correct, n, population, level)
    assert correct / population - 1e-12 <= low <= correct / n <= high
    assert high <= (population - n + correct) / population + 1e-12
    mirrored = accuracy_interval(n - correct, n, population, level)
    assert mirrored == pytest.approx((1 - high, 1 - low))
    if n == population:
        assert low == high


def test_counts_that_do_not_fit() -> None:
    for args in ((5, 4), (-1, 4), (1, 4, 3)):
        with pytest.raises(ValueError, match="need 0 <= correct <= n"):
            accuracy_interval(*args)
    with pytest.raises(ValueError, match="level"):
        accuracy_interval(1, 2, level=1.0)


def coverage(accuracy: float, n: int, population: int) -> float:
    """Exact: every outcome of the draw, weighted by its hypergeometric probability."""
    right = round(accuracy * population)
    outcomes = np.arange(n + 1)
    inside = [
        low - 1e-12 <= right / population <= high + 1e-12
        for low, high in (accuracy_interval(int(k), n, population) for k in outcomes)
    ]
    return float(hypergeom.pmf(outcomes, population, right, n)[inside].sum())


ACCURACIES = np.linspace(0.5, 0.96, 24)


@pytest.mark.parametrize("population", [100, 300, 1000, 10_000])
@pytest.mark.parametrize("n", [30, 50, 100, 200])
def test_exact_coverage(n: int, population: int) -> None:
    """Over the accuracies 93 to 98 %; a single one swings around it, as no discrete interval can avoid."""
    if n >= population:
        assert coverage(0.8, population, population) == pytest.approx(1)
        return
    single = np.array([coverage(a, n, population) for a in ACCURACIES])
    print(f"n={n} of {population}: {single.min():.3f} to {single.max():.3f}, mean {single.mean():.3f}")
    assert 0.93 <= single.mean() <= 0.98
    assert single.min() > 0.91


@pytest.mark.parametrize(("accuracy", "population", "n"), [(0.6, 300, 30), (0.8, 400, 40), (0.9, 500, 100)])
def test_coverage_of_the_drawn_audit_by_simulation(accuracy: float, population: int, n: int) -> None:
    """From the pool through the keyed draw to the interval, in 1,500 projects."""
    pool = names(population)
    right = set(np.random.default_rng(0).permutation(pool)[: round(accuracy * population)])
    hits = 0
    for seed in range(1500):
        audit = draw_audit(pool, n, seed)
        low, high = accuracy_interval(sum(name in right for name in audit), n, population)
        hits += low <= accuracy <= high
    assert 0.93 <= hits / 1500 <= 0.98
