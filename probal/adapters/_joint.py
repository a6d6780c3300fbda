"""Joint draws of the class weights from the Laplace posterior, whose θ all images of a draw share.

Shapes use the glossary of `probal.types`. A draw of the prior is moved by what the labels say of it (Matheron's
rule; Wilson et al. 2020, arXiv 2002.09309), with the factors of `_dual`: for class c on its active images::

    f_c ← f_c − K_c E_c (f_c + D_c^-½ ε_c) + K_c E_c M^-½ε₂

ε_c moves each class alone, ε₂ [n] is what the softmax couples them by; the covariance is exactly that of `_dual`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from probal.adapters._dual import Dual
from probal.adapters.base import over_moment
from probal.gaussian import GaussianEmbedding

_BLOCK_ELEMENTS = 1 << 24
"""Weights drawn at once, C·D each: 128 MiB of float64 bound the memory beyond the result's own."""


def draw_weights(
    rows: Tensor, dual: Dual, amplitude: float, n_samples: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Deviations of the logit weights from their mean, blocks [k,C,D] float64 that add up to K samples.

    rows [n,D] are the labeled images. Draws of one seed are the same for whatever images they are used on.
    """
    x = rows.double()
    classes, width = len(dual.gains), x.shape[1]
    deviation = amplitude**0.5 * dual.gains  # [C]
    size = max(1, _BLOCK_ELEMENTS // (classes * max(width, 1)))
    for start in range(0, n_samples, size):
        k = min(size, n_samples - start)
        drawn = deviation[:, None] * torch.randn(k, classes, width, dtype=x.dtype, generator=generator)
        coupling = torch.randn(len(x), k, dtype=x.dtype, generator=generator)  # ε₂ [n,k]
        common = torch.linalg.solve_triangular(dual.chol_m.mT, coupling, upper=True)  # M^-½ ε₂ [n,k]
        for c, active in enumerate(dual.active):
            here, root = x[active], dual.root(c)  # [a,D], [a,a]
            own = torch.randn(len(active), k, dtype=x.dtype, generator=generator)  # ε_c
            # E (f + D^-½ ε) = root (rootᵀ f + L⁻¹ ε), finite where a probability is zero
            seen = root.mT @ (here @ drawn[:, c].mT - common[active]) + dual.whitener[c] @ own  # [a,k]
            drawn[:, c] -= deviation[c] ** 2 * (here.mT @ (root @ seen)).mT
        yield drawn


def draw_images(images: Tensor | GaussianEmbedding, n_samples: int, generator: torch.Generator) -> Tensor:
    """Rows of the images in each draw, [N,1,D] or [N,K,D]: given ones as they are, embeddings by their Gaussian."""
    if isinstance(images, Tensor):
        if images.dim() == 2:
            return images.unsqueeze(1)
        if images.dim() == 3 and images.shape[1] == n_samples:
            return images
        raise ValueError(
            f"images must be [N, D] or [N, K, D] with K = {n_samples}, got {tuple(images.shape)}"
        )
    rows, ex = over_moment(images)  # as in `cosine_logits`
    if images.is_exact:
        return rows.unsqueeze(1)
    centre, norm = images.mean.unsqueeze(1), ex.sqrt()[:, None, None]  # [N,1,D], [N,1,1]
    shape = (len(images), n_samples, images.width)
    noise = torch.randn(shape, dtype=centre.dtype, generator=generator)  # [N,K,D]
    if images.leverage is None or images.shared is None:
        return (centre + images.variance().sqrt().unsqueeze(1) * noise) / norm
    if images.shared.dim() == 1:
        noise = noise * images.shared.sqrt()
    else:
        values, vectors = torch.linalg.eigh(images.shared)  # semi-definite is enough, Cholesky wants more
        noise = noise @ (vectors * values.clamp(min=0).sqrt()).mT
    return (centre + images.leverage.sqrt()[:, None, None] * noise) / norm
