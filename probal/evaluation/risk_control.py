"""Which predictions may be kept without looking at them: a precision promised on the strength of the audit.

Learn then test (Angelopoulos et al. 2021, arXiv 2110.01052) for selective classification: thresholds on the
confidence are tried from the strictest down, each by an exact test on audit images that no model was fitted on,
until one fails. m audit images, U images that the model is to label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GRID = 200
"""Thresholds tried at most."""


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
    labeled: int = 0,
    finite: bool = True,
) -> Certificate:
    """The largest set of images [U] that can be labeled at this precision, by `audit_wrong` [m] booleans.

    The audit is a uniform sample of the whole pool: m of m + U + `labeled` images. `count_bound` bounds the images
    that are wrong at or above a threshold, and all of these but the audit's own may lie among the U: whatever the
    labeling took from the pool before, easy images or hard ones, it cannot leave more wrong ones than there were. The
    walk over a grid of the images' confidences begins where no error at all would suffice, which depends on no
    label; where much more could be kept, further walks begin at twice as many images, four times, …, and 1 − level
    is shared among them. Each walk stops at its first failure, so that no correction for the number of thresholds
    is due (fixed-sequence testing). With `finite=False` the m are another sample of such images, a test set.

    Raises ValueError for shapes that do not fit, confidences that are not finite, or shares outside (0, 1).
    """
    rest, sample, wrong = _checked(confidence, audit_confidence, audit_wrong)
    if not (0 < precision < 1 and 0 < level < 1) or labeled < 0:
        raise ValueError(f"precision and level must be between 0 and 1, got {precision} and {level}")
    m, others = len(sample), len(rest) + labeled
    everything = np.sort(np.concatenate([rest, sample]))[::-1]
    at = np.unique(np.linspace(0, len(everything) - 1, min(_GRID, len(everything))).round().astype(int))
    thresholds = np.unique(everything[at])[::-1]  # the strictest first
    kept = len(rest) - np.searchsorted(np.sort(rest), thresholds, side="left")
    errors = int(wrong.sum()) - np.searchsorted(np.sort(sample[wrong]), thresholds, side="left")
    allowed = np.floor((1 - precision) * kept + 1e-9).astype(np.int64)

    def most_wrong(k: int, alpha: float) -> int:
        if finite:
            return int(count_bound(k, m, m + others, alpha)) - k
        return math.ceil(count_bound(k, m, None, alpha) * others)

    def passes(i: int, k: int, alpha: float) -> bool:
        if not finite:
            return most_wrong(k, alpha) <= int(allowed[i])
        return _chance(k, m, m + others, k + int(allowed[i]) + 1) <= alpha  # as the bound, in one step

    def first(alpha: float, least: int) -> int | None:
        by_test = _chances(0, m, m + others, allowed + 1) <= alpha
        sure = by_test if finite else most_wrong(0, alpha) <= allowed
        found = np.flatnonzero(sure & (kept >= least))
        return int(found[0]) if len(found) else None

    alpha = 1 - level
    start = first(alpha, 1)
    best = None
    if start is not None:
        walks = 1 + int(math.log2(len(rest) / kept[start]))
        alpha /= walks
        for walk in range(walks):
            i = first(alpha, int(kept[start]) * 2**walk)
            while i is not None and i < len(kept) and passes(i, int(errors[i]), alpha):
                best = i if best is None else max(best, i)
                i += 1
    needed = math.ceil(math.log(1 - level) / math.log(precision))
    if best is None:
        return Certificate(precision, level, None, 0, 0, 0, 0, needed)
    k, threshold = int(errors[best]), float(thresholds[best])
    audit_kept = int((sample >= threshold).sum())
    return Certificate(
        precision, level, threshold, int(kept[best]), most_wrong(k, alpha), audit_kept, k, needed
    )


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
    return float(_chances(wrong, n, population, np.array([all_wrong]))[0])


def _chances(wrong: int, n: int, population: int, all_wrong: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same for each of `all_wrong`; 0 where some of them must be in the sample."""
    from scipy.stats import hypergeom  # takes a second to load, which no page should wait for

    possible = np.minimum(all_wrong, population - n + wrong)
    return np.where(
        all_wrong > possible, 0.0, np.asarray(hypergeom.cdf(wrong, population, possible, n), np.float64)
    )


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
