"""Joint draws of the pool's logits: what EPIG, BatchBALD and every other score between images reads.

Shapes use the glossary of `probal.types`. Draw k of every image belongs to the same θ_k; logits drawn for each
image by itself have no mutual information with each other.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from probal.gaussian import GaussianLogits

JointSampler = Callable[[Tensor, int, torch.Generator], Tensor]
"""(unit rows [N,D], K, generator) -> logits [N,K,C] of one θ_k per draw: a posterior's `joint`."""

_BLOCK_ELEMENTS = 1 << 22


def correlated_logits(
    logits: GaussianLogits, embeddings: Tensor, n_samples: int, generator: torch.Generator
) -> Tensor:
    """Draws [N,K,C] with the logits' own means and covariances, correlated between images as their rows are.

    For posteriors that say nothing beyond each image's Gaussian. With unit rows x̂ and ξ_kc, ζ_kr ~ N(0, I_D)
    ``z_ikc = m_ic + √v_ic x̂_iᵀ ξ_kc + √gain_i Σ_r F_cr x̂_iᵀ ζ_kr``: every image keeps exactly the covariance
    that its logits state, and two images correlate by their cosine, as under weights with an isotropic
    posterior. Memory beyond the result is bounded in K.
    """
    n, c = logits.mean.shape
    rows = embeddings.to(logits.mean.dtype)  # [N,D]
    rank = 0 if logits.factor is None else logits.factor.shape[1]
    out = torch.empty(n, n_samples, c, dtype=logits.mean.dtype)
    size = max(1, _BLOCK_ELEMENTS // ((c + rank) * max(rows.shape[1], n)))
    for start in range(0, n_samples, size):
        k = min(size, n_samples - start)
        noise = torch.randn(rows.shape[1], k * (c + rank), dtype=rows.dtype, generator=generator)
        along = (rows @ noise).reshape(n, k, c + rank)
        z = logits.mean[:, None] + logits.var.sqrt()[:, None] * along[..., :c]  # [N,k,C]
        if logits.gain is not None and logits.factor is not None:
            z += logits.gain.sqrt()[:, None, None] * (along[..., c:] @ logits.factor.mT)
        out[:, start : start + k] = z
    return out
