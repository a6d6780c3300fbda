"""The generalized Gaussian: density, variance, central intervals and draws, one per image and dimension.

`p(x; μ, α, β) = β / (2α Γ(1/β)) · exp(−(|x − μ| / α)^β)`; β = 1 is Laplace's, β = 2 a Gaussian of variance α²/2.
Shapes use the glossary of `probal.types`: N rows, D embedding width, K samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import gammaincinv
from torch import Tensor

LOG_2 = 0.6931471805599453
SMALLEST_RATIO = 1e-6
"""|x − μ| / α below it counts as this much: for β < 1 the slope at 0 is infinite. It moves `∫p` by under 1e-6."""


@dataclass(frozen=True, eq=False)
class GeneralizedGaussian:
    """N × D independent generalized Gaussians; α and β positive. Nothing is checked: heads make them positive."""

    mean: Tensor  # [N, D]
    alpha: Tensor  # [N, D]
    beta: Tensor  # [N, D]

    def nll(self, x: Tensor) -> Tensor:
        """`(|x − μ|/α)^β + log α − log β + log 2 + log Γ(1/β)`, x [N, D] -> [N, D] nats.

        The normalized negative log-likelihood of arXiv 2307.00398, its power kept: `exp(−nll)` integrates
        to 1 for every α and β.
        """
        ratio = ((x - self.mean).abs() / self.alpha).clamp_min(SMALLEST_RATIO)  # [N, D]
        power = (self.beta * ratio.log()).exp()
        return power + self.alpha.log() - self.beta.log() + LOG_2 + torch.lgamma(1 / self.beta)

    def variance(self) -> Tensor:
        """`α² Γ(3/β) / Γ(1/β)`, [N, D]: the aleatoric variance of arXiv 2307.00398, by log Γ."""
        return (2 * self.alpha.log() + torch.lgamma(3 / self.beta) - torch.lgamma(1 / self.beta)).exp()

    def level(self, x: Tensor) -> Tensor:
        """Level of the smallest central interval that holds x, in [0, 1): uniform when calibrated. [N, D]."""
        ratio = (x - self.mean).abs() / self.alpha
        return torch.special.gammainc(1 / self.beta, ratio**self.beta)

    def sample(self, k: int, generator: torch.Generator) -> Tensor:
        """K independent draws, [K, N, D]: a random sign on the half-width of a random level."""
        shape = (k, *self.mean.shape)
        u = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1  # sign and level in one
        width = _quantile(self.beta.expand(shape), u.abs())
        return self.mean + self.alpha * u.sign().to(width.dtype) * width

    def rows(self, index: Tensor | slice | list[int]) -> GeneralizedGaussian:
        """The rows at `index`."""
        return GeneralizedGaussian(self.mean[index], self.alpha[index], self.beta[index])


def _quantile(beta: Tensor, level: Tensor) -> Tensor:
    """`(P⁻¹(1/β, level))^(1/β)`, P the regularized incomplete gamma function; in the shape and type of β."""
    shape = 1 / beta.double().numpy()
    width = gammaincinv(shape, level.double().numpy()) ** shape
    return torch.from_numpy(np.asarray(width)).to(beta.dtype)
