"""Comparing learning curves: areas, label ratios, paired differences, and the rule that labels must not hurt.

A `Curve` holds one metric of one strategy over its seeds, [S,R] with S seeds and R rounds. Two curves of the same
source are paired by seed: a seed fixes the split, the pool and the oracle, so differences vary less than the curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import isotonic_regression

BASELINE = "random"
LEVEL = 0.95
NEVER = 1.5
"""Label ratio of a curve that does not reach the target within the budget."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds; the interval is None with a single seed."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Curve:
    """One metric of one strategy on one source."""

    labels: np.ndarray  # [R]
    seeds: tuple[int, ...]
    values: np.ndarray  # [S,R]

    @property
    def mean(self) -> np.ndarray:
        """Over seeds, [R]."""
        return self.values.mean(0)

    def upto(self, budget: int) -> Curve:
        """The curve as far as `budget`, interpolated there; unchanged where it ends before."""
        if budget >= self.labels[-1]:
            return self
        inside = self.labels < budget
        end = np.array([[np.interp(budget, self.labels, row)] for row in self.values])
        return Curve(
            np.append(self.labels[inside], budget), self.seeds, np.hstack([self.values[:, inside], end])
        )

    def of(self, seeds: Sequence[int]) -> Curve:
        """The same of these seeds only, in their order."""
        return Curve(self.labels, tuple(seeds), self.values[[self.seeds.index(seed) for seed in seeds]])


def curve(runs: Sequence[Mapping[str, Any]], metric: str = "accuracy") -> Curve:
    """The runs of one strategy as a curve, ordered by seed, as far as the shortest got.

    ValueError where they were asked at different numbers of labels before that.
    """
    ordered = sorted(runs, key=lambda run: run["seed"])
    # pools of unequal size end in last batches of unequal size
    end = min(run["labels"][-1] for run in ordered)
    each = [
        Curve(np.array(run["labels"]), (run["seed"],), np.array([run[metric]], float)).upto(end)
        for run in ordered
    ]
    grids = {tuple(one.labels.tolist()) for one in each}
    if len(grids) != 1:
        raise ValueError(f"runs of one strategy were measured at different labels: {sorted(grids)}")
    return Curve(
        each[0].labels, tuple(run["seed"] for run in ordered), np.vstack([one.values for one in each])
    )


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """Mean and Student's 95 % interval of independent `values`."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None, None)
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * stats.sem(values))
    return Estimate(mean, mean - half, mean + half)


def area_under(labels: Sequence[int] | np.ndarray, accuracy: Sequence[float] | np.ndarray) -> float:
    """Mean of the piecewise linear curve over its labels; the accuracy itself for a single point."""
    if len(labels) == 1:
        return float(accuracy[0])
    return float(np.trapezoid(accuracy, labels) / (labels[-1] - labels[0]))


def areas(one: Curve) -> np.ndarray:
    """Area under each seed's curve, [S]."""
    return np.array([area_under(one.labels, row) for row in one.values])


def paired(one: Curve, other: Curve) -> tuple[Curve, Curve]:
    """Both on the seeds and the range of labels that they share; ValueError where they share no seed."""
    seeds = sorted(set(one.seeds) & set(other.seeds))
    if not seeds:
        raise ValueError("the curves share no seed")
    end = int(min(one.labels[-1], other.labels[-1]))
    return one.of(seeds).upto(end), other.of(seeds).upto(end)


def area_difference(one: Curve, other: Curve) -> Estimate:
    """Area of `one` less that of `other`, paired by seed."""
    one, other = paired(one, other)
    return estimate(areas(one) - areas(other))


def final_difference(one: Curve, other: Curve) -> Estimate:
    """Value at the last label both reached, paired by seed."""
    one, other = paired(one, other)
    return estimate(one.values[:, -1] - other.values[:, -1])


def label_ratio(labels: np.ndarray, accuracy: np.ndarray, target: float, batch: int) -> float:
    """Share of the budget at which a mean curve [R] reaches `target`.

    The curve is made isotonic (least squares) and read off linearly between rounds. A crossing before the first
    batch counts as one batch, since nothing can be known earlier; a curve that never gets there counts NEVER.
    """
    budget = labels[-1]
    rising = isotonic_regression(accuracy).x
    # a mean of equal numbers is off by a rounding, and a strategy must reach its own end
    at = int(np.searchsorted(rising, target - 1e-12))
    if at == len(rising):
        return NEVER
    crossing = float(labels[at])
    if at > 0:
        low, high = rising[at - 1], rising[at]
        share = min(1.0, (target - low) / (high - low))
        crossing = float(labels[at - 1] + share * (labels[at] - labels[at - 1]))
    return max(crossing, float(min(batch, budget))) / float(budget)


def label_ratio_estimate(one: Curve, baseline: Curve, batch: int, rng: np.random.Generator) -> Estimate:
    """`label_ratio` of one against the baseline's mean at the full budget, resampling the shared seeds.

    The point is that of all seeds; the interval runs between the 2.5 % and 97.5 % quantiles of RESAMPLES draws
    of seeds, both curves together, and is None with a single seed.
    """
    one, baseline = paired(one, baseline)
    point = label_ratio(one.labels, one.mean, float(baseline.mean[-1]), batch)
    if len(one.seeds) < 2:
        return Estimate(point, None, None)
    draws = []
    for rows in rng.integers(0, len(one.seeds), (RESAMPLES, len(one.seeds))):
        target = float(baseline.values[rows, -1].mean())
        draws.append(label_ratio(one.labels, one.values[rows].mean(0), target, batch))
    return Estimate(point, *interval(draws))


def interval(draws: Sequence[float]) -> tuple[float, float]:
    """Between the 2.5 % and 97.5 % quantiles."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def gains(baseline: Curve) -> bool:
    """Whether labels help the baseline by at least two standard errors; else there is no ratio to speak of."""
    gain = baseline.values[:, -1] - baseline.values[:, 0]
    if len(gain) < 2:
        return bool(gain[0] > 0)
    return bool(gain.mean() > 0 and gain.mean() >= 2 * stats.sem(gain))


def geometric_mean(ratios: Sequence[float]) -> float:
    """Of the label ratios over sets; ValueError for none."""
    if not ratios:
        raise ValueError("no set on which random sampling gains anything")
    return float(np.exp(np.mean(np.log(ratios))))


@dataclass(frozen=True)
class Drop:
    """How far a curve falls below its own start, the state before any label; 0 where it never does."""

    mean: float
    """Of the curve averaged over seeds, at its worst round."""
    worst: float
    """Of the worst round of the worst seed."""


def drop_below_start(one: Curve) -> Drop:
    """The rule of a safe strategy: labels must not destroy a good prior, not by more than a point."""
    worst = (one.values[:, :1] - one.values).max()
    return Drop(float((one.mean[0] - one.mean).max()), float(worst))


def mean_ranks(per_set: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean rank, 1 the best, of every name over sets of name -> score; ties share their mean rank.

    ValueError where a name is missing in a set: ranks among different rivals do not compare.
    """
    names = list(per_set[0])
    if any(set(each) != set(names) for each in per_set):
        raise ValueError("every set must have the same names")
    ranks = np.array([stats.rankdata([-each[name] for name in names]) for each in per_set])
    return dict(zip(names, ranks.mean(0).tolist(), strict=True))
