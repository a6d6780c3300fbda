"""Whether images that came later look like those that were there first: a two-sample test on their vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = 500
"""Images per side that are compared; more would find differences too small to matter."""
FEWEST = 20
"""New images below which nothing is said."""
SIGNIFICANT = 0.01
APART = 0.6
"""AUC below which a difference, though real, is not worth a warning."""
_PERMUTATIONS = 499


@dataclass(frozen=True)
class Drift:
    """The comparison of the images a project began with and those added since."""

    p_value: float
    """Of the hypothesis that both come from one distribution."""
    auc: float
    """Chance that a new image looks newer than an old one to a classifier fitted on other images: 0.5 to 1."""
    n_first: int
    n_new: int
    warning: str | None
    """One sentence where the new images differ enough to matter."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Drift:
        return cls(**kept)


def detect_drift(
    first: NDArray[np.floating],
    new: NDArray[np.floating],
    generator: np.random.Generator,
    counts: tuple[int, int] | None = None,
) -> Drift:
    """Compare unit rows `first` [N,D] and `new` [M,D], at most 500 of each drawn at random.

    Maximum mean discrepancy with a Gaussian kernel of median width, p-value by permutation (Gretton et al. 2012).
    `auc` is the Mann–Whitney statistic of the witness function of one half of each sample on the other half.
    `counts` are the sizes to tell of where the rows are samples already.

    Raises ValueError for fewer than 20 new or first images, or other shapes.
    """
    if first.ndim != 2 or new.ndim != 2 or first.shape[1] != new.shape[1]:
        raise ValueError(f"need [N,D] and [M,D], got {first.shape} and {new.shape}")
    if min(len(first), len(new)) < FEWEST:
        raise ValueError(f"need at least {FEWEST} images on each side, got {len(first)} and {len(new)}")
    a, b = (each[generator.permutation(len(each))[:SAMPLE]].astype(np.float64) for each in (first, new))
    kernel = _kernel(np.concatenate([a, b]))
    is_new = np.arange(len(kernel)) >= len(a)
    observed = _mmd(kernel, is_new[:, None])[0]
    shuffled = np.stack([generator.permutation(is_new) for _ in range(_PERMUTATIONS)], 1)
    p_value = float((1 + (_mmd(kernel, shuffled) >= observed).sum()) / (1 + _PERMUTATIONS))
    auc = _witness_auc(kernel, is_new)
    n_first, n_new = counts or (len(first), len(new))
    warning = None
    if p_value <= SIGNIFICANT and auc >= APART:
        warning = (
            f"the {n_new:,} images added later look different from the first {n_first:,} "
            f"(AUC {auc:.2f}, p = {p_value:.3g}): label some of them before you trust the model there"
        )
    return Drift(p_value, auc, n_first, n_new, warning)


def _kernel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian kernel [n,n] of median width, its diagonal zero."""
    length = np.square(x).sum(1)
    distance = np.maximum(length[:, None] + length - 2 * x @ x.T, 0)
    width = float(np.median(distance[np.triu_indices(len(x), 1)]))
    kernel = np.exp(-distance / width) if width > 0 else np.ones_like(distance)
    np.fill_diagonal(kernel, 0)
    return kernel


def _mmd(kernel: NDArray[np.float64], is_new: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Unbiased squared discrepancy for each column of `is_new` [n,P]."""
    z = is_new.astype(np.float64)
    n_new = z.sum(0)
    n_old = len(z) - n_new
    row = kernel @ z
    new_new = (z * row).sum(0)
    old_new = row.sum(0) - new_new
    old_old = kernel.sum() - new_new - 2 * old_new
    return np.asarray(
        new_new / (n_new * (n_new - 1)) + old_old / (n_old * (n_old - 1)) - 2 * old_new / (n_new * n_old)
    )


def _witness_auc(kernel: NDArray[np.float64], is_new: NDArray[np.bool_]) -> float:
    """Mean over both halves of the AUC of `mean k(x, new) − mean k(x, first)`, fitted on the other half."""
    half = np.arange(len(kernel)) % 2 == 0
    areas = []
    for fitted in (half, ~half):
        score = kernel[:, fitted & is_new].mean(1) - kernel[:, fitted & ~is_new].mean(1)
        new, old = score[~fitted & is_new], np.sort(score[~fitted & ~is_new])
        below = np.searchsorted(old, new, "left") + np.searchsorted(old, new, "right")
        areas.append(below.mean() / (2 * len(old)))
    return float(np.mean(areas))
