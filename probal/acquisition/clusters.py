"""Groups of alike images, for the strategies that spread their picks.

Pools beyond `WINDOW` images are clustered on a uniform sample that keeps every covered image, so the cost of a
round does not grow with the pool; the picks then come from the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from probal.acquisition.base import AcquisitionState

WINDOW = 20_000
_WIDTH = 64
_NEIGHBOURS = 20


@dataclass(frozen=True)
class Clusters:
    """k groups of the window's m rows."""

    rows: np.ndarray  # [m] pool rows, covered ones among them
    points: np.ndarray  # [m,d] reduced embeddings
    group: np.ndarray  # [m] 0..k-1
    is_covered: np.ndarray  # [m] bool
    k: int

    def free(self, group: int) -> np.ndarray:
        """Positions of the group's candidates."""
        return np.flatnonzero((self.group == group) & ~self.is_covered)

    def coverage(self) -> np.ndarray:
        """Covered rows per group, [k]."""
        return np.bincount(self.group[self.is_covered], minlength=self.k)

    def sizes(self) -> np.ndarray:
        """Rows per group, [k]."""
        return np.bincount(self.group, minlength=self.k)


def cluster(state: AcquisitionState, k: int, generator: torch.Generator) -> Clusters:
    """k-means with k groups (fewer when the window has fewer distinct rows) on 64 principal components."""
    rows = _window(state, generator)
    seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
    points = state.embeddings[torch.from_numpy(rows)].float().numpy()
    width = min(_WIDTH, *points.shape)
    points = (
        PCA(width, svd_solver="randomized", random_state=seed).fit_transform(points) if width > 1 else points
    )
    k = max(1, min(k, len(np.unique(points, axis=0))))
    group = KMeans(k, n_init=1, max_iter=30, random_state=seed).fit(points).labels_
    return Clusters(rows, points, group, np.isin(rows, state.covered.numpy()), k)


def typicality(points: np.ndarray) -> np.ndarray:
    """Inverse mean distance to the nearest 20 of the same group, [m]: TypiClust (arXiv 2202.02794, eq. 4)."""
    if len(points) == 1:
        return np.ones(1)
    neighbours = min(_NEIGHBOURS, len(points) - 1)
    distance, _ = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors()  # own row left out
    return 1 / (distance.mean(1) + 1e-5)


def _window(state: AcquisitionState, generator: torch.Generator) -> np.ndarray:
    candidates = state.candidates
    room = max(WINDOW - len(state.covered), WINDOW // 2)
    if len(candidates) > room:
        candidates = candidates[torch.randperm(len(candidates), generator=generator)[:room]]
    return torch.cat([candidates, state.covered]).sort().values.unique().numpy()
