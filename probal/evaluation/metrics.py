"""Accuracy, log loss and calibration error of predicted probabilities, in NumPy.

Shapes use the glossary of `probal.types`: `probs` [N, C] with rows summing to 1, `labels` [N] integers below C.
The first two are scikit-learn's definitions, to which the tests hold them; they are written out here so that
`probal --help` and a web request need not load scikit-learn. Every function raises ValueError for shapes that
do not fit, no images, a label out of range, or probabilities that are not finite or do not sum to 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALLEST = float(np.finfo(np.float32).tiny)
"""Probabilities below count as this much in the log loss, which is then 87 nats and not infinite."""


def accuracy(probs: ArrayLike, labels: ArrayLike) -> float:
    """Share of images whose likeliest class is their label; of equally likely classes the first counts."""
    p, y = _checked(probs, labels)
    return float((p.argmax(1) == y).mean())


def nll(probs: ArrayLike, labels: ArrayLike) -> float:
    """Mean negative log probability of the label, nats."""
    p, y = _checked(probs, labels)
    return float(-np.log(np.maximum(p[np.arange(len(y)), y], SMALLEST)).mean())


def ece(probs: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error: `Σ_b n_b/N · |accuracy_b − mean confidence_b|` (Guo et al. 2017).

    Confidence is the largest probability, in `bins` equal intervals of (0, 1]. On few images the error is biased
    upwards, by up to about `0.4·√(bins / N)`: compare only figures of the same N and bins, or `debiased_ece`.
    """
    p, y = _checked(probs, labels)
    confidence, index = _bins(p, bins)
    return _gap(confidence, index, p.argmax(1) == y, bins)


def debiased_ece(
    probs: ArrayLike,
    labels: ArrayLike,
    bins: int = 15,
    generator: np.random.Generator | None = None,
    n_draws: int = 200,
) -> float:
    """`ece` less what it would be if the predictions were right: its mean over labels drawn from them.

    About zero for calibrated predictions at any N and bins, hence comparable between them; it may be below
    zero and is not clipped, which would bring the bias back. The consistency resampling of Bröcker and Smith
    2007. Only whether the likeliest class is the label counts, so a hit is drawn with chance `confidence`. The
    same draws on every call unless a generator is handed in. Raises ValueError as `ece` does, and for fewer than
    one draw.
    """
    if n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}")
    p, y = _checked(probs, labels)
    confidence, index = _bins(p, bins)
    rng = np.random.default_rng(0) if generator is None else generator
    chance = [_gap(confidence, index, rng.random(len(y)) < confidence, bins) for _ in range(n_draws)]
    return _gap(confidence, index, p.argmax(1) == y, bins) - float(np.mean(chance))


def reliability(probs: ArrayLike, labels: ArrayLike, bins: int = 10) -> list[tuple[float, float, int]]:
    """Points of a reliability diagram: (mean confidence, share of hits, images) of each bin that is not empty.

    Equal intervals of the confidence as in `ece`, in rising order. Raises ValueError as `ece` does.
    """
    p, y = _checked(probs, labels)
    confidence, index = _bins(p, bins)
    hit = p.argmax(1) == y
    inside = [index == b for b in range(bins)]
    return [(float(confidence[i].mean()), float(hit[i].mean()), int(i.sum())) for i in inside if i.any()]


def _bins(p: NDArray[np.float64], bins: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Confidence and bin of each image, [N] and [N]."""
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    confidence = p.max(1)
    index = np.ceil(confidence * bins).astype(int) - 1
    return confidence, np.clip(index, 0, bins - 1).astype(np.int64)


def _gap(
    confidence: NDArray[np.float64], index: NDArray[np.int64], hit: NDArray[np.bool_], bins: int
) -> float:
    """Calibration error of these hits [N]."""
    gap = np.bincount(index, weights=hit - confidence, minlength=bins)  # n_b · (accuracy_b − confidence_b)
    return float(np.abs(gap).sum() / len(hit))


def _checked(probs: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    p, y = np.asarray(probs, dtype=np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != p.shape[:1]:
        raise ValueError(f"probs must be [N, C] and labels [N], got {p.shape} and {y.shape}")
    if not len(y):
        raise ValueError("no images to measure on")
    if y.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, got {y.dtype}")
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"labels must be in 0…{p.shape[1] - 1}, got {y.min()}…{y.max()}")
    if not np.isfinite(p).all() or p.min() < 0 or np.abs(p.sum(1) - 1).max() > 1e-3:
        raise ValueError("probs must be finite, not negative, and sum to 1 in every row")
    return p, y.astype(np.int64)
