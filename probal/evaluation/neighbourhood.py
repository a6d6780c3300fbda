"""Images help each other: a prediction averaged with those of the images most like it.

A pool of unlabeled images shows where it is dense, which a few labels do not. Averaging log probabilities over
nearest neighbours is one step of label propagation (Zhu and Ghahramani 2002) in the logits, and for a linear model
the same as moving each image's vector towards the mean of its neighbours (Wu et al. 2019, arXiv 1902.07153). It needs
the pool beside the model, so it is for labeling the pool itself. N images, K neighbours, C classes, D vector width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 10
SHARE = 0.3
"""Weight of the neighbours together. Both were chosen on the sets of docs/evaluation.md, The finish."""
_EXACT = 20_000
"""Up to so many images every pair is compared."""


def nearest(x: NDArray[np.float32], k: int = NEIGHBOURS, seed: int = 0) -> NDArray[np.int64]:
    """The min(k, N − 1) other rows that are nearest to each of x [N,D] by cosine, mean taken out; [N,K].

    Above 20,000 rows by nearest-neighbour descent, which misses a few: a row stands in for what it did not find.
    Repeatable by `seed` with as many threads. ValueError for k below 1.
    """
    if k < 1:
        raise ValueError(f"need at least one neighbour, got k = {k}")
    k = min(k, len(x) - 1)
    if k < 1:
        return np.empty((len(x), 0), np.int64)
    moved = x - x.mean(0)
    moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
    # of unit rows the nearest are those of the largest cosine
    if len(x) <= _EXACT:
        from sklearn.neighbors import NearestNeighbors  # takes a second to load

        # asked without rows, it leaves each row itself out
        found = (
            NearestNeighbors(n_neighbors=k, algorithm="brute").fit(moved).kneighbors(return_distance=False)
        )
        return found.astype(np.int64)
    from pynndescent import NNDescent

    index, _ = NNDescent(moved, metric="euclidean", n_neighbors=k + 1, random_state=seed).neighbor_graph
    return _others(index.astype(np.int64), k)


def _others(index: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The first k of each row's k + 1 that are not the row itself; the row for a place that was not filled, −1."""
    rows = np.arange(len(index))[:, None]
    own = index == rows
    own[~own.any(1), -1] = True  # copies of the row pushed it out: the farthest goes instead
    found = index[~own].reshape(len(index), k)
    return np.where(found < 0, rows, found)


def with_neighbours(
    probs: NDArray[np.floating], neighbours: NDArray[np.int64], share: float = SHARE
) -> NDArray[np.float64]:
    """Probabilities ∝ p_i^(1−share) · Π_j p_j^(share/K) over each image's K neighbours j; [N,C].

    probs [N,C], neighbours [N,K] rows of probs; without neighbours the probabilities as they are. ValueError for
    shapes that do not fit, neighbours that are no rows and a share outside [0, 1]; FloatingPointError for
    probabilities that are not finite.
    """
    if not 0 <= share <= 1 or probs.ndim != 2 or neighbours.ndim != 2 or len(neighbours) != len(probs):
        raise ValueError(f"need [N,C], [N,K] and a share, got {probs.shape}, {neighbours.shape} and {share}")
    if neighbours.size and not 0 <= neighbours.min() <= neighbours.max() < len(probs):
        raise ValueError(f"neighbours are rows from 0 to {len(probs) - 1}")
    if not np.isfinite(probs).all():
        raise FloatingPointError("a probability is not finite")
    if not neighbours.shape[1]:
        return probs.astype(np.float64)
    log_p = np.log(np.maximum(probs.astype(np.float64), np.finfo(np.float32).tiny))
    mean = np.zeros_like(log_p)
    for column in neighbours.T:  # one neighbour at a time: N × C of memory
        mean += log_p[column]
    log_p = (1 - share) * log_p + share / neighbours.shape[1] * mean
    found = np.exp(log_p - log_p.max(1, keepdims=True))
    return found / found.sum(1, keepdims=True)
