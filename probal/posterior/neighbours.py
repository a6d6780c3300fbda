"""Candidates for a targeted support set: the pool images next to a second set of images.

Shapes use the glossary of `probal.types`: targets [M, D] and pool [N, D] are Gaussian embeddings in one basis. EPIG
over a whole pool and a whole target set is N·M; BayesVLM (arXiv 2412.06014) scores only the union of the targets'
nearest neighbours.
"""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

from probal.gaussian import GaussianEmbedding

BLOCK = 1 << 22
"""Entries of a block of similarities: 16 MiB of float32."""


class Distance(StrEnum):
    """How near two Gaussian embeddings are."""

    COSINE = "cosine"
    """Expected cosine, `μxᵀμy / √(E|x|² E|y|²)`: the length of the mean falls with the noise."""
    WASSERSTEIN = "wasserstein"
    """Squared 2-Wasserstein distance, `|μx − μy|² + |Σx^½ − Σy^½|²` where the covariances commute."""


def expected_cosine(x: GaussianEmbedding, y: GaussianEmbedding) -> Tensor:
    """`μxᵀμy / √(E|x|² E|y|²)`, [N, D] and [M, D] -> [N, M]; the mean of `cosine_moments`."""
    return (x.mean @ y.mean.mT) / (x.second_moment()[:, None] * y.second_moment()).sqrt()


def wasserstein(x: GaussianEmbedding, y: GaussianEmbedding) -> Tensor:
    """Squared 2-Wasserstein distances, [N, D] and [M, D] -> [N, M].

    Exact for diagonal covariances, `|μx − μy|² + |σx − σy|²`, and for two sets of leverages over one `shared`,
    `|μx − μy|² + (√lx − √ly)² tr S`. Raises ValueError for others: their covariances need not commute.
    """
    distance = _squared_distances(x.mean, y.mean)
    if x.is_exact and y.is_exact:
        return distance
    full = [rows.shared for rows in (x, y) if rows.shared is not None and rows.shared.dim() == 2]
    if full:
        if len(full) == 2 and torch.equal(*full) and x.leverage is not None and y.leverage is not None:
            between = (x.leverage.sqrt()[:, None] - y.leverage.sqrt()).square()
            return distance + full[0].trace() * between
        raise ValueError(
            "Wasserstein distances need one shared [D, D] on both sides, or diagonal covariances"
        )
    return distance + _squared_distances(x.variance().sqrt(), y.variance().sqrt())


def nearest_to_targets(
    pool: GaussianEmbedding, targets: GaussianEmbedding, k: int, distance: Distance = Distance.COSINE
) -> Tensor:
    """Pool rows that are among the k nearest of some target, each once, ascending, int64 [≤ k·M].

    k larger than the pool takes the whole pool. Memory is one block of [targets, N]. Raises ValueError for
    k below 1 and for no targets.
    """
    if k < 1 or not len(targets):
        raise ValueError(f"need k of at least 1 and some target, got k = {k} and {len(targets)} targets")
    chosen = torch.zeros(len(pool), dtype=torch.bool)
    step = max(1, BLOCK // max(1, len(pool)))
    for start in range(0, len(targets), step):
        rows = targets.rows(slice(start, start + step))
        cosine = Distance(distance) is Distance.COSINE
        near = expected_cosine(rows, pool) if cosine else -wasserstein(rows, pool)
        if not bool(torch.isfinite(near).all()):
            raise FloatingPointError("a distance between pool and targets is not finite")
        chosen[near.topk(min(k, len(pool)), dim=1).indices] = True
    return torch.nonzero(chosen)[:, 0]


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """`|x_i − y_j|²`, [N, D] and [M, D] -> [N, M]."""
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.mT).clamp_min(0)
