"""Gaussian logits: what every acquisition reads.

Shapes use the glossary of `probal.types`: N images, C classes, K samples, R rank of the shared factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probal.gaussian.embedding import Index
from probal.gaussian.predictive import class_covariance, probit_predictive, qmc_moments


@dataclass(frozen=True, eq=False)
class GaussianLogits:
    """Logits `z_i ~ N(mean_i, diag(var_i) + gain_i · factor factorᵀ)`.

    `var` is each class's own variance; `gain` and `factor` are the noise of the image, which moves all
    classes together. The two come together or not at all. float32 at the least, float64 kept. Raises
    ValueError for shapes that do not fit and for a negative `var` or `gain`.
    """

    mean: Tensor  # [N, C]
    var: Tensor  # [N, C]
    gain: Tensor | None = None  # [N]
    factor: Tensor | None = None  # [C, R]

    def __post_init__(self) -> None:
        if self.mean.dim() != 2:
            raise ValueError(f"mean must be [N, C], got shape {tuple(self.mean.shape)}")
        n, c = self.mean.shape
        if self.var.shape != self.mean.shape:
            raise ValueError(f"var must be [N, C] = {(n, c)} like mean, got {tuple(self.var.shape)}")
        if (self.gain is None) != (self.factor is None):
            raise ValueError("gain [N] and factor [C, R] belong together, one of them is missing")
        if self.gain is not None and self.factor is not None:
            if self.gain.shape != (n,):
                raise ValueError(f"gain must be [N] = {(n,)}, got {tuple(self.gain.shape)}")
            if self.factor.dim() != 2 or self.factor.shape[0] != c:
                raise ValueError(f"factor must be [C, R] with C = {c}, got {tuple(self.factor.shape)}")
        dtype = torch.float32
        given = {name: getattr(self, name) for name in ("mean", "var", "gain", "factor")}
        for name, value in given.items():
            if value is not None and not value.is_floating_point():
                raise ValueError(f"{name} must be floating point, got {value.dtype}")
            dtype = dtype if value is None else torch.promote_types(dtype, value.dtype)
        for name, value in given.items():
            if value is not None and value.dtype != dtype:
                object.__setattr__(self, name, value.to(dtype))
            if value is not None and name in ("var", "gain") and bool((value < 0).any()):
                raise ValueError(f"{name} must not be negative, smallest entry {float(value.min()):.3g}")

    def __len__(self) -> int:
        return self.mean.shape[0]

    @property
    def n_classes(self) -> int:
        """C."""
        return self.mean.shape[1]

    def variance(self) -> Tensor:
        """Marginal variances, class's own and shared together, [N, C]."""
        if self.gain is None or self.factor is None:
            return self.var
        return self.var + self.gain[:, None] * self.factor.square().sum(1)

    def covariance(self, i: int) -> Tensor:
        """Covariance of image i written out, [C, C]: what tests compare with."""
        dense = torch.diag(self.var[i])
        if self.gain is None or self.factor is None:
            return dense
        return dense + self.gain[i] * class_covariance(self.factor)

    def predictive(
        self, method: str = "probit", n_samples: int = 64, generator: torch.Generator | None = None
    ) -> Tensor:
        """Posterior predictive `E softmax(z_i)`, [N, C], rows summing to 1.

        `method="probit"` is the closed form of `probit_predictive`; `"qmc"` averages `n_samples` scrambled
        Sobol points (a power of two is best), the same ones on every call unless a `generator` is given.
        Memory stays bounded in N and K. Raises ValueError for another method, FloatingPointError for a
        result that is not finite.
        """
        if method == "probit":
            out = probit_predictive(self.mean, self.var, self.gain, self.factor)
        elif method == "qmc":
            out, _ = self.integrate(n_samples, generator)
        else:
            raise ValueError(f'method must be "probit" or "qmc", got {method!r}')
        if not bool(torch.isfinite(out).all()):
            raise FloatingPointError(
                "the predictive is not finite: a logit's mean or variance is NaN or infinite"
            )
        return out

    def integrate(self, n_samples: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """`E softmax(z_i)` [N, C] and `E H(softmax(z_i))` [N] over the same nodes, see `qmc_moments`."""
        return qmc_moments(self.mean, self.var, self.gain, self.factor, n_samples, generator)

    def sample(self, n_samples: int, generator: torch.Generator) -> Tensor:
        """Draws of the logits, [N, K, C].

        Images are independent of each other given the moments: these draws know nothing of the θ that images
        have in common and are no ground for an information gain between images.
        """
        n, c = self.mean.shape
        own = torch.randn(
            (n, n_samples, c), dtype=self.mean.dtype, device=self.mean.device, generator=generator
        )  # [N, K, C]
        z = self.mean[:, None] + self.var.sqrt()[:, None] * own
        if self.gain is not None and self.factor is not None:
            shape = (n, n_samples, self.factor.shape[1])
            noise = torch.randn(shape, dtype=z.dtype, device=z.device, generator=generator)  # [N, K, R]
            z += self.gain.sqrt()[:, None, None] * (noise @ self.factor.mT)
        return z

    def rows(self, index: Index) -> GaussianLogits:
        """The images at `index` (integers, a mask or a slice); `factor` is not copied."""
        gain = None if self.gain is None else self.gain[index]
        return GaussianLogits(self.mean[index], self.var[index], gain, self.factor)

    def to(self, dtype: torch.dtype) -> GaussianLogits:
        """The same in another floating point type."""
        gain = None if self.gain is None else self.gain.to(dtype)
        factor = None if self.factor is None else self.factor.to(dtype)
        return GaussianLogits(self.mean.to(dtype), self.var.to(dtype), gain, factor)
