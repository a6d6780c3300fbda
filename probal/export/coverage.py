"""A support set of k images per class that stands for all of its class's labeled images.

Greedy facility location (Nemhauser, Wolsey and Fisher 1978): each step adds the image that raises
``Σ_i max_{s∈S} x̂_iᵀx̂_s`` over the class most, which is within 1 − 1/e of the best k. The first image is the most
typical one, the next lie where the ones before do not; unlike farthest-first (k-center) it is not drawn to outliers.
No random number: equal inputs give equal sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BLOCK = 1024
"""Candidates compared with their class at a time; memory is this × images of the class."""


def cover(x: np.ndarray, k: int) -> list[int]:
    """Up to k row numbers of unit rows x [n,D], best first; the lower one where two are equally good.

    Costs k·n²·D. Raises ValueError for k below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    x = x.astype(np.float64)
    covered = np.full(
        len(x), -1.0
    )  # [n] similarity of each row to the nearest chosen one; −1 is the least there is
    chosen: list[int] = []
    for _ in range(min(k, len(x))):
        gain = np.concatenate(
            [
                np.maximum(x[start : start + _BLOCK] @ x.T - covered, 0).sum(1)
                for start in range(0, len(x), _BLOCK)
            ]
        )
        gain[chosen] = -np.inf
        # rounded, so that sums added in another order on another machine choose the same image
        best = int(np.argmax(np.round(gain, 9)))
        chosen.append(best)
        covered = np.maximum(covered, x @ x[best])
    return chosen


def cover_classes(x: np.ndarray, labels: Sequence[str], k: int) -> list[int]:
    """Rows of x [n,D] chosen by `cover` within each class, in ascending order; a small class gives all it has."""
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        rows.setdefault(label, []).append(row)
    return sorted(own[i] for own in rows.values() for i in cover(x[own], k))
