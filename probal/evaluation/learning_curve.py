"""What the next labels should buy: learning curves fitted to the accuracies of past rounds, with their uncertainty.

R rounds, m audit images, each round's model measured on the same images, so that what is hard about these
images cancels out of the gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

AHEAD = (50, 100, 200)
"""Further labels looked at."""
FEWEST_ROUNDS = 4
"""A curve of three parameters is not fitted to fewer points."""

_SCALES = (10.0, 30.0, 100.0, 300.0, 1000.0)
_POWERS = (0.5, 1.0, 2.0)
_SHAPES = [(scale, power) for scale in _SCALES for power in _POWERS]
_CORRELATED = 2.0
"""Errors of successive rounds are alike, so they say about half of what as many independent ones would; and a gain
holds the errors of two rounds, the last and the one to come."""
_REPLICATES = 400
_TAIL = 0.1


@dataclass(frozen=True)
class Projection:
    """Gain in accuracy from `labels` more labels, with an 80 % interval."""

    labels: int
    gain: float
    low: float
    high: float


def project_gain(
    hits: ArrayLike, labels: Sequence[int], generator: np.random.Generator, ahead: Sequence[int] = AHEAD
) -> tuple[Projection, ...]:
    """Gains from `ahead` further labels, from `hits` [R,m] booleans at increasing `labels` [R].

    `accuracy(n) = start + rise · (1 − (1 + n/s)^−c)` with rise ≥ 0: the power law of learning
    curves (Viering and Loog 2021, arXiv 2103.10948) for a grid of s and c, start and rise by least squares. The
    audit images are drawn again with replacement (bootstrap); each draw takes one shape by its likelihood, so
    that the interval holds both what the images leave open and what the shape does. A steep beginning fixes rise
    and shape far better than m images can tell a small gain, so the draws are spread until their standard
    deviation is at least `paired_error`, and that of the rounds about the curve. `gain` is the median before that;
    none leads above an accuracy of 1, but a model may get worse: `low` can be negative.

    Raises ValueError for fewer than four rounds, labels that do not increase, or shapes that do not fit.
    """
    right = np.asarray(hits)
    n = np.asarray(labels, np.float64)
    if right.ndim != 2 or right.dtype != np.bool_ or right.shape[0] != len(n) or not right.shape[1]:
        raise ValueError(f"need hits [R,m] booleans and labels [R], got {right.shape} and {n.shape}")
    if len(n) < FEWEST_ROUNDS or (np.diff(n) <= 0).any():
        raise ValueError(f"need at least {FEWEST_ROUNDS} rounds at increasing labels, got {list(labels)}")
    m = right.shape[1]
    weights = generator.multinomial(m, np.full(m, 1 / m), size=_REPLICATES) / m
    seen = weights @ right.T.astype(np.float64)  # [replicates, R]
    fits = [_fit(seen, n, scale, power) for scale, power in _SHAPES]
    error = np.stack([each[1] for each in fits], 1)  # [replicates, shapes] sums of squares
    # the noise about the curve, from the best shape of the plain accuracies; three parameters are spent
    plain = right.mean(1)[None]
    noise = min(float(_fit(plain, n, scale, power)[1][0]) for scale, power in _SHAPES) / max(len(n) - 3, 1)
    noise = _CORRELATED * max(noise, 1e-6)
    likelihood = np.exp(-(error - error.min(1, keepdims=True)) / (2 * noise))
    cumulative = np.cumsum(likelihood, 1) / likelihood.sum(1, keepdims=True)
    chosen = (cumulative < generator.random((_REPLICATES, 1))).sum(1).clip(max=len(_SHAPES) - 1)
    projections = []
    for more in ahead:
        by_shape = np.stack(
            [
                rise * (_risen(n[-1] + more, *shape) - _risen(n[-1], *shape))
                for (rise, _), shape in zip(fits, _SHAPES, strict=True)
            ],
            1,
        )
        room = (1 - seen[:, -1]).clip(min=0)
        gains = np.minimum(by_shape[np.arange(_REPLICATES), chosen], room)
        middle = np.median(gains)
        least = max(paired_error(right[-2], right[-1], float(middle)) ** 2, noise)
        lacking = least - gains.var()
        spread = gains + np.sqrt(max(lacking, 0.0)) * generator.standard_normal(_REPLICATES)
        low, high = np.quantile(spread, [_TAIL, 1 - _TAIL])
        high = max(middle, min(high, float(np.quantile(room, 1 - _TAIL))))
        projections.append(Projection(int(more), float(middle), float(low), float(high)))
    return tuple(projections)


def paired_error(before: ArrayLike, after: ArrayLike, gain: float) -> float:
    """Least standard error of a `gain` between two models on the same m images.

    √((d − gain²)/m), the error of a difference of paired proportions (McNemar 1947), where d is the share of images
    that one of them gets right and the other wrong. The next labels change at least as many images as they gain,
    and as the last ones did: d is the larger of |gain| and the share in which `before` and `after` [m] booleans
    differ, with half an image added to either side (Agresti and Min 2005), since m equal answers do not show that
    none will ever differ.
    """
    one, other = np.asarray(before, bool), np.asarray(after, bool)
    m = len(one)
    differ = max((int((one != other).sum()) + 1) / (m + 2), abs(gain))
    return float(np.sqrt(max(differ - gain**2, 0) / m))


def _risen(n: NDArray[np.float64] | float, scale: float, power: float) -> NDArray[np.float64]:
    return np.asarray(1 - (1 + np.asarray(n) / scale) ** -power)


def _fit(
    seen: NDArray[np.float64], n: NDArray[np.float64], scale: float, power: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rises and sums of squares of the least-squares curves of one shape through `seen` [B,R]."""
    x = _risen(n, scale, power)
    centred = x - x.mean()
    mean = seen.mean(1)
    rise = np.maximum((seen @ centred) / (centred @ centred), 0)
    residual = seen - mean[:, None] - rise[:, None] * centred
    return rise, np.square(residual).sum(1)
