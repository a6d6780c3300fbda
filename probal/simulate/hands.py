"""What labels cost in seconds of a person: confirming a right prediction is quicker than choosing a class.

Seconds follow from what a run keeps, the labels and how many of them were called right before they were asked for, so
that the same runs can be read at any speed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression

from probal.simulate.compare import (
    NEVER,
    RESAMPLES,
    Curve,
    Estimate,
    area_under,
    curve,
    estimate,
    interval,
    paired,
)


@dataclass(frozen=True)
class Hands:
    """Seconds for an image in each way of answering.

    The defaults are not measured: they are the keystroke-level model's (Card, Moran and Newell 1980, Communications
    of the ACM 23(7)), 1.35 s for a decision and 0.2 s for a key. Confirming is one decision, is it that? Choosing is
    two: what is it, and which key is that.
    """

    choose: float = 2.9
    confirm: float = 1.55

    def seconds(self, labels: Sequence[int], confirmed: Sequence[int]) -> np.ndarray:
        """Spent after each round [R], from labels and those called right, both counted from the start."""
        right = np.asarray(confirmed, float)
        return self.choose * (np.asarray(labels, float) - right) + self.confirm * right


@dataclass(frozen=True)
class Cost:
    """One strategy in seconds, up to a number of labels."""

    confirmed: Estimate
    """Share of the labels that were called right before they were asked for."""
    seconds: Estimate
    area_gain: Estimate | None
    """Area under accuracy over seconds less random's, as far as both got; None for random itself."""
    ratio: Estimate | None
    """Seconds to reach what random sampling reaches with its whole budget, over its seconds; None as above. Where one
    of both ended earlier, the budget ends there, as that of a label ratio does."""


def cost(
    own: Sequence[Mapping[str, Any]], random: Sequence[Mapping[str, Any]] | None, hands: Hands, batch: int,
    rng: np.random.Generator,
) -> Cost:  # fmt: skip
    """Runs of one strategy, and those of random sampling where they are to be compared."""
    labels, spent = curve(own), _spent(own, hands)
    confirmed = curve(own, "confirmed").values[:, -1] / max(labels.labels[-1], 1)
    gain = ratio = None
    if random is not None:
        other, other_spent = curve(random), _spent(random, hands)
        shared = sorted(set(labels.seeds) & set(other.seeds))
        if shared:
            one = labels.of(shared), spent.of(shared)
            two = other.of(shared), other_spent.of(shared)
            gain, ratio = _area_gain(*one, *two), _ratio(*one, *two, batch, rng)
    return Cost(estimate(confirmed), estimate(spent.values[:, -1]), gain, ratio)


def mean_seconds(runs: Sequence[Mapping[str, Any]], hands: Hands) -> np.ndarray:
    """After each round [R], the mean over the runs of one strategy."""
    return _spent(runs, hands).mean


def in_seconds(runs: Sequence[Mapping[str, Any]], hands: Hands) -> dict[str, Any]:
    """Parts of the JSON: the `hands`, and the `runs` with their `hand_seconds` after each round."""
    told = [
        {**run, "hand_seconds": hands.seconds(run["labels"], run["confirmed"]).round(3).tolist()}
        for run in runs
    ]
    return {"hands": asdict(hands), "runs": told}


def timed(runs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all runs say what was called right; other tools' older ones do not."""
    return all("confirmed" in run for run in runs)


def _spent(runs: Sequence[Mapping[str, Any]], hands: Hands) -> Curve:
    return curve([{**run, "spent": hands.seconds(run["labels"], run["confirmed"])} for run in runs], "spent")


def _area_gain(one: Curve, one_spent: Curve, two: Curve, two_spent: Curve) -> Estimate:
    """Paired by seed; each pair as far in seconds as the quicker of both got."""
    gains = []
    for a, sa, b, sb in zip(one.values, one_spent.values, two.values, two_spent.values, strict=True):
        end = min(sa[-1], sb[-1])
        gains.append(_area_until(sa, a, end) - _area_until(sb, b, end))
    return estimate(gains)


def _area_until(seconds: np.ndarray, accuracy: np.ndarray, end: float) -> float:
    inside = seconds < end
    x = np.append(seconds[inside], end)
    return area_under(x, np.append(accuracy[inside], np.interp(end, seconds, accuracy)))


def _ratio(
    one: Curve, one_spent: Curve, two: Curve, two_spent: Curve, batch: int, rng: np.random.Generator
) -> Estimate:
    """As the label ratio: mean curves over seeds as far in labels as both got, isotonic, read off linearly, at least
    the first batch."""
    (one, two), (one_spent, two_spent) = paired(one, two), paired(one_spent, two_spent)

    def of(rows: np.ndarray) -> float:
        rising = isotonic_regression(one.values[rows].mean(0)).x
        x, target = one_spent.values[rows].mean(0), float(two.values[rows, -1].mean()) - 1e-12
        if rising[-1] < target:
            return NEVER
        at = int(np.searchsorted(rising, target))
        reached = x[at] if at == 0 else np.interp(target, rising[at - 1 : at + 1], x[at - 1 : at + 1])
        first = np.interp(batch, one.labels, x)
        return float(max(reached, first) / two_spent.values[rows, -1].mean())

    seeds = len(one.seeds)
    point = of(np.arange(seeds))
    if seeds < 2:
        return Estimate(point, None, None)
    draws = [of(rows) for rows in rng.integers(0, seeds, (RESAMPLES, seeds))]
    return Estimate(point, *interval(draws))
