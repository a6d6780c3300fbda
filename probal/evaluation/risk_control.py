"""Which predictions may be kept without looking at them: a precision promised on the strength of the audit.

Learn then test (Angelopoulos et al. 2021, arXiv 2110.01052) for selective classification: thresholds on the
confidence are tried from the strictest down, each by an exact test on audit images that no model was fitted on,
until one fails. m audit images, U images to be labeled by the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Certificate:
    """What may be kept: every image whose confidence is at least `threshold`, None where nothing may be."""

    precision: float
    """Promised share of right labels among the kept ones, with a probability of at least `level`."""
    level: float
    threshold: float | None
    kept: int
    """Images at or above the threshold, of the U."""
    most_wrong: int
    """Upper bound on the wrong ones among them, at `level`."""
    audit_kept: int
    """Audit images at or above the threshold: the evidence."""
    audit_wrong: int
    audit_needed: int
    """Audit images, all right, without which this precision cannot be promised for a large pool."""


def certify(
    confidence: ArrayLike,
    audit_confidence: ArrayLike,
    audit_wrong: ArrayLike,
    precision: float,
    level: float = 0.95,
    finite: bool = True,
) -> Certificate:
    """The largest set of images [U] that can be labeled at this precision, by `audit_wrong` [m] booleans.

    Images at or above a threshold, audit ones and others, are one finite population of which the audit ones are a
    uniform sample; `count_bound` bounds the wrong ones in it and so those not in the sample. The walk over
    the audit's confidences begins where no error at all would suffice, which depends on no label; with a large
    audit further walks begin at twice as many audit images, four times, …, and 1 − level is shared among them.
    Each walk stops at its first failure, so that no correction for the number of thresholds is due (fixed-sequence
    testing). With `finite=False` the m are another sample of the same kind of images, such as a test set.

    The promise is exact where the U are like the audit images. Labeling chose from the pool before, which leaves
    the U easier (uncertain ones are gone) or slightly harder (typical ones are gone).

    Raises ValueError for shapes that do not fit, confidences that are not finite, or shares outside (0, 1).
    """
    rest, sample, wrong = _checked(confidence, audit_confidence, audit_wrong)
    if not (0 < precision < 1 and 0 < level < 1):
        raise ValueError(f"precision and level must be between 0 and 1, got {precision} and {level}")
    order = np.argsort(-sample, kind="stable")
    sample, errors = sample[order], np.cumsum(wrong[order])
    steps = np.flatnonzero(np.append(np.diff(sample) < 0, True)) if len(sample) else np.empty(0, int)
    # images of one confidence are kept or left together; below the least of the audit nothing is known but the rate
    thresholds = [*sample[steps].tolist(), *([-math.inf] if len(sample) else [])]
    taken = [*(steps + 1).tolist(), *([len(sample)] if len(sample) else [])]
    ascending = np.sort(rest)
    kept = [len(rest) - int(np.searchsorted(ascending, t, side="left")) for t in thresholds]

    def most_wrong(i: int, k: int, alpha: float) -> int:
        return _most_wrong(k, taken[i], kept[i], kept[i] + taken[i] if finite else None, alpha)

    def passes(i: int, k: int, alpha: float) -> bool:
        allowed = math.floor((1 - precision) * kept[i] + 1e-9)
        if not finite:
            return most_wrong(i, k, alpha) <= allowed
        return _chance(k, taken[i], kept[i] + taken[i], k + allowed + 1) <= alpha  # as the bound, in one step

    def first(alpha: float, least: int) -> int | None:
        enough = (i for i in range(len(taken)) if taken[i] >= least and kept[i])
        return next((i for i in enough if passes(i, 0, alpha)), None)

    alpha = 1 - level
    start = first(alpha, 1)
    best = None
    if start is not None:
        walks = 1 + int(math.log2(len(sample) / taken[start]))
        alpha /= walks
        for walk in range(walks):
            at = first(alpha, taken[start] * 2**walk)
            while at is not None and at < len(taken) and passes(at, int(errors[taken[at] - 1]), alpha):
                best = at if best is None else max(best, at)
                at += 1
    needed = math.ceil(math.log(1 - level) / math.log(precision))
    if best is None:
        return Certificate(precision, level, None, 0, 0, 0, 0, needed)
    threshold = thresholds[best]
    if not math.isfinite(threshold):
        threshold = float(min(ascending[0], sample[-1]))
    k = int(errors[taken[best] - 1])
    bound = most_wrong(best, k, alpha)
    return Certificate(precision, level, threshold, kept[best], bound, taken[best], k, needed)


def count_bound(wrong: int, n: int, population: int | None, alpha: float) -> float:
    """Largest number of wrong ones in `population` under which `wrong` or fewer of `n` have a chance > alpha.

    Hypergeometric; without `population` Clopper and Pearson's bound (1934) on the rate, in [0, 1].
    """
    if population is None:
        from scipy.special import betaincinv  # as in `_chance`

        return 1.0 if wrong == n else float(betaincinv(wrong + 1, n - wrong, 1 - alpha))
    low, high = wrong, population - n + wrong  # the chance falls as the wrong ones grow
    while low < high:
        middle = (low + high + 1) // 2
        if _chance(wrong, n, population, middle) > alpha:
            low = middle
        else:
            high = middle - 1
    return low


def _chance(wrong: int, n: int, population: int, all_wrong: int) -> float:
    """Hypergeometric chance of `wrong` or fewer among `n`, of `all_wrong` in `population`."""
    if all_wrong > population - n + wrong:
        return 0.0  # some of them must be in the sample
    from scipy.stats import hypergeom  # takes a second to load, which no page should wait for

    return float(hypergeom.cdf(wrong, population, all_wrong, n))


def _most_wrong(wrong: int, n: int, kept: int, population: int | None, alpha: float) -> int:
    """Bound on the wrong ones among the `kept`, which are not in the sample."""
    if population is not None:
        return int(count_bound(wrong, n, population, alpha)) - wrong
    return math.ceil(count_bound(wrong, n, None, alpha) * kept)


def _checked(
    confidence: ArrayLike, audit_confidence: ArrayLike, audit_wrong: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    rest, sample = np.asarray(confidence, np.float64), np.asarray(audit_confidence, np.float64)
    wrong = np.asarray(audit_wrong)
    if rest.ndim != 1 or sample.ndim != 1 or wrong.shape != sample.shape:
        raise ValueError(f"need [U], [m] and [m], got {rest.shape}, {sample.shape} and {wrong.shape}")
    if wrong.dtype != np.bool_:
        raise ValueError(f"audit_wrong must be booleans, got {wrong.dtype}")
    if not (np.isfinite(rest).all() and np.isfinite(sample).all()):
        raise ValueError("every confidence must be finite")
    return rest, sample, wrong
