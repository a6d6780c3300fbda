"""Joint draws of the class weights from the Laplace posterior, whose θ all images of a draw share.

Shapes use the glossary of `probal.types`; r is the rank of the labeled rows. In whitened dual coordinates
(`_softmax_gp`) the inverse Hessian is a sum of two covariances, by Woodbury on ``H = A − QQᵀ``::

    H⁻¹ = A⁻¹ + (A⁻¹ Q M⁻ᵀᐟ²)(A⁻¹ Q M⁻ᵀᐟ²)ᵀ          A block diagonal over classes, M = I − Qᵀ A⁻¹ Q

so ``b = A⁻ᵀᐟ² ε₁ + A⁻¹ Q M⁻ᵀᐟ² ε₂`` has exactly the covariance H⁻¹: ε₁ [C,r] moves each class alone, ε₂ [n] is
what the softmax couples them by. Outside the span of the labels the weights keep their prior.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from probal.adapters._softmax_gp import Curvature, curvature
from probal.gaussian import GaussianEmbedding

_BLOCK_ELEMENTS = 1 << 24
"""Weights drawn at once, C·D each: 128 MiB of float64 bound the memory beyond the result's own."""


def draw_dual(curved: Curvature, own: Tensor, generator: torch.Generator) -> Tensor:
    """b [k,C,r] ~ N(0, H⁻¹) from standard normals `own` [k,C,r] and as many more as there are labels."""
    coupling = torch.randn(len(own), len(curved.probs), dtype=own.dtype, generator=generator)  # ε₂ [k,n]
    common = torch.linalg.solve_triangular(curved.chol_m.mT, coupling.mT, upper=True)  # M⁻ᵀᐟ² ε₂ [n,k]
    moved = curved.gains[:, None, None] * (
        curved.phi.mT @ (curved.probs.mT[:, :, None] * common)
    )  # Q·, [C,r,k]
    whitened = torch.linalg.solve_triangular(curved.chol_a, moved, upper=False)  # [C,r,k]
    whitened = whitened + own.permute(1, 2, 0)
    return torch.linalg.solve_triangular(curved.chol_a.mT, whitened, upper=True).permute(2, 0, 1)  # [k,C,r]


def draw_weights(
    phi: Tensor,
    probs: Tensor,
    gains: Tensor,
    basis: Tensor,
    amplitude: float,
    n_samples: int,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Deviations of the logit weights from their mean, blocks [k,C,D] float64 that add up to K samples.

    phi [n,r] and probs [n,C] at the mode, gains [C], basis [D,r] = √κ V. Draws of one seed are the same for
    whatever images they are used on.
    """
    curved = curvature(phi, probs, gains)
    root = amplitude**0.5
    v = basis.to(phi.dtype) / root  # [D,r]
    classes, width = len(gains), len(basis)
    size = max(1, _BLOCK_ELEMENTS // (classes * max(width, 1)))
    for start in range(0, n_samples, size):
        k = min(size, n_samples - start)
        prior = torch.randn(k, classes, width, dtype=phi.dtype, generator=generator)  # [k,C,D]
        inside = prior @ v  # [k,C,r] standard normal, independent of what lies outside the span
        dual = draw_dual(curved, inside, generator)  # [k,C,r]
        yield root * gains[:, None] * (prior + (dual - inside) @ v.mT)


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
    centre = images.mean.unsqueeze(1)  # [N,1,D]
    norm = images.second_moment().sqrt()[:, None, None]  # as in `cosine_logits`
    if images.is_exact:
        return centre / norm
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
