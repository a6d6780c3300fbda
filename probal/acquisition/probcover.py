"""ProbCover: the batch whose neighbourhoods of one radius cover the most of the pool."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from probal.acquisition.base import AcquisitionState, Choice
from probal.acquisition.clusters import cluster

PURITY = 0.95
_MAX_POINTS = 5000


def pure_radius(points: np.ndarray, group: np.ndarray, purity: float = PURITY) -> float:
    """Largest δ at which that share of the balls B_δ(x) hold one group only, in the units of points [m,d].

    The ball of x is pure below its distance to the nearest point of another group, so δ is a quantile of those
    distances: no search over radii (Yehuda et al. 2022, section 4.2, where groups are k-means pseudo-labels).
    With a single group it is the median distance to the nearest neighbour.
    """
    if len(np.unique(group)) == 1:
        own, _ = NearestNeighbors(n_neighbors=min(2, len(points))).fit(points).kneighbors(points)
        return float(np.median(own[:, -1]))
    nearest = np.empty(len(points))
    for g in np.unique(group):
        inside = group == g
        distance, _ = NearestNeighbors(n_neighbors=1).fit(points[~inside]).kneighbors(points[inside])
        nearest[inside] = distance[:, 0]
    return float(np.quantile(nearest, 1 - purity, method="lower"))


def probcover(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """Greedy maximum coverage at radius δ, what labeled and pending images cover taken off first.

    Yehuda et al. 2022 (arXiv 2205.11320, algorithm 1); greedy reaches 1 − 1/e of the best coverage. δ comes from
    `pure_radius` with one k-means group per class. Beyond 5,000 images it works on a uniform sample of the
    candidates and the covered images. When all is covered, a second cover begins. The score is the number of
    images newly covered.
    """
    groups = cluster(state, state.n_classes, generator)
    seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
    kept = _sample(groups.is_covered, max(_MAX_POINTS, 2 * batch), seed)
    points, covers = groups.points[kept], groups.is_covered[kept]
    delta = pure_radius(points, groups.group[kept])
    graph = NearestNeighbors(radius=delta).fit(points).radius_neighbors_graph(points).astype(bool).tocsr()
    graph.setdiag(True)  # a point covers itself also where rounding puts it at a distance
    open_ = np.asarray(graph[np.flatnonzero(covers)].sum(0)).ravel() == 0
    free = ~covers
    choices: list[Choice] = []
    for _ in range(batch):
        gain = np.where(free, graph @ open_.astype(np.int64), -1)
        if gain.max() == 0:
            open_ = np.ones(len(points), dtype=bool)
            gain = np.where(free, graph @ open_.astype(np.int64), -1)
        at = int(gain.argmax())
        choices.append(Choice(int(groups.rows[kept[at]]), float(gain[at]), "coverage"))
        free[at] = False
        open_[graph[at].indices] = False
    return choices


def _sample(is_covered: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Positions, in order: all, or `size` of them with at most half of it covered ones."""
    if len(is_covered) <= size:
        return np.arange(len(is_covered))
    rng = np.random.default_rng(seed)
    covered, candidates = np.flatnonzero(is_covered), np.flatnonzero(~is_covered)
    covered = rng.permutation(covered)[: size // 2]
    return np.sort(np.concatenate([covered, rng.permutation(candidates)[: size - len(covered)]]))
