"""A Kronecker-factored precision over a projection's weights, in the eigenbases of its two factors.

Shapes use the glossary of `probal.types`: weights W [D, P], activations [N, P], `z = W a` [N, D], K samples.
Source: BayesVLM (arXiv 2412.06014), KFAC after Martens and Grosse (arXiv 1503.05671).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import torch
from torch import Tensor

FLOAT32_NOISE = 1e-5
"""Eigenvalues this far below zero, as a share of the largest, are rounding of a factor kept in float32."""


class Damping(StrEnum):
    """How the prior precision λ enters."""

    EXACT = "exact"
    """`τ A⊗B + λI`."""
    FACTORED = "factored"
    """`(√τ A + √λ I) ⊗ (√τ B + √λ I)`, the paper's: its cross terms `√(τλ)(A⊗I + I⊗B)` are not in the model."""


@dataclass(frozen=True, eq=False)
class KroneckerPrecision:
    """Precision of `vec W`, W [D, P], as eigenvalues `e_pd` in the basis `u_p ⊗ v_d`.

    `A = U diag(alpha) Uᵀ` [P, P] is over activations and `B = V diag(beta) Vᵀ` [D, D] over outputs. With
    `vec` stacking the columns of W the precision is `kron(A, B)` and its damping. V may span R < D directions
    only: W is then exact in the others, and what is called [P, D] and [N, D] below is [P, R] and [N, R]. All
    tensors are float64 and results come in the type of the activations, float32 at the least. Made by
    :meth:`from_factors`. Raises ValueError for a prior precision or τ that is not a positive number.
    """

    alpha: Tensor  # [P]
    u: Tensor  # [P, P]
    beta: Tensor  # [D] or [R]
    v: Tensor  # [D, D] or [D, R], orthonormal columns
    prior_precision: float
    """λ."""
    tau: float = 1.0
    """Weight of the curvature against the prior."""
    damping: Damping = Damping.EXACT

    def __post_init__(self) -> None:
        object.__setattr__(self, "damping", Damping(self.damping))
        for name in ("prior_precision", "tau"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive number, got {value}")

    @classmethod
    def from_factors(
        cls,
        a: Tensor,
        b: Tensor,
        prior_precision: float,
        tau: float = 1.0,
        damping: Damping = Damping.EXACT,
        span: Tensor | None = None,
    ) -> KroneckerPrecision:
        """From symmetric positive semi-definite A [P, P] and B [D, D]. Raises ValueError where they are not.

        With `span` [D, R], orthonormal columns, W is uncertain in those output directions only and B is
        `spanᵀ B span`.
        """
        alpha, u = psd_eigen(a, "A")
        beta, v = psd_eigen(b if span is None else span.mT @ b.double() @ span, "B")
        return cls(alpha, u, beta, v if span is None else span @ v, prior_precision, tau, damping)

    def with_prior(self, prior_precision: float) -> KroneckerPrecision:
        """The same factors under another λ; the eigenbases are kept."""
        return replace(self, prior_precision=prior_precision)

    @cached_property
    def eigenvalues(self) -> Tensor:
        """`e_pd`, [P, D]: `τ α_p β_d + λ`, or `(√τ α_p + √λ)(√τ β_d + √λ)`."""
        if self.damping is Damping.EXACT:
            return self.tau * torch.outer(self.alpha, self.beta) + self.prior_precision
        root, shift = math.sqrt(self.tau), math.sqrt(self.prior_precision)
        return torch.outer(root * self.alpha + shift, root * self.beta + shift)

    def logdet(self) -> float:
        """Log-determinant of the precision, `Σ_pd log e_pd`; factored it is `D·logdet Ã + P·logdet B̃`."""
        return float(self.eigenvalues.log().sum())

    def rotate(self, rows: Tensor) -> Tensor:
        """Rows [N, D] in B's eigenbasis, `rows V`: cosines are kept, and covariances become diagonal.

        Raises ValueError where V spans some directions only: a cosine needs them all.
        """
        if self.v.shape[0] != self.v.shape[1]:
            raise ValueError(
                "this posterior is of some output directions only, it has no basis to rotate into"
            )
        return (rows.double() @ self.v).to(_kept(rows))

    def variance(self, a: Tensor) -> Tensor:
        """Variances of `W a` along B's eigenvectors, activations [N, P] -> [N, D]; off the diagonal it is 0.

        `Cov(W a_i) = V diag(var_i) Vᵀ` with `var_id = Σ_p (u_pᵀa_i)² / e_pd`.
        """
        return (self._project(a).square() @ self.eigenvalues.reciprocal()).to(_kept(a))

    def cross_variance(self, a: Tensor, other: Tensor) -> Tensor:
        """Covariances between images along B's eigenvectors, [N, P] and [M, P] -> [N, M, D].

        `Cov(W a_i, W a_j) = V diag(cross_ij) Vᵀ` with `cross_ijd = Σ_p (u_pᵀa_i)(u_pᵀa_j) / e_pd`.
        """
        x, y = self._project(a), self._project(other)
        inverse = self.eigenvalues.reciprocal()  # [P, D]
        return torch.stack([x @ (y * inverse[:, d]).mT for d in range(len(self.beta))], 2).to(_kept(a))

    @cached_property
    def shared(self) -> Tensor:
        """S [D, D] of the form `Cov(W a) = leverage(a) · S` in the original basis.

        Factored: `B̃⁻¹`, and the form is exact. Exact: `1 / e_pd` is no product of a number per p and one per
        d. S is the mean covariance of the activations that A was made of, `S = V diag(Σ_p α_p/e_pd / Σ α) Vᵀ`
        (equal weights where A is zero), and the leverage then keeps every image's total variance.
        """
        return (self.v * self._shape) @ self.v.mT

    def leverage(self, a: Tensor, other: Tensor | None = None) -> Tensor:
        """`l_i` of `Cov(W a_i) = l_i S`, activations [N, P] -> [N]; with `other` [M, P] between images, [N, M].

        Factored it is `a_iᵀ Ã⁻¹ a_j`, exact `tr Cov(W a_i, W a_j) / tr S`.
        """
        x = self._project(a)
        weight = self.eigenvalues.reciprocal().sum(1) / self._shape.sum()  # [P]
        if other is None:
            return (x.square() @ weight).to(_kept(a))
        return ((x * weight) @ self._project(other).mT).to(_kept(a))

    def sample(self, a: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        """Joint draws of `W a` about its mean, activations [N, P] -> [N, K, D] in the original basis.

        Every image of a draw sees the same W, without which no image can tell anything about another. Exact
        in both forms. Memory is one W, whatever K.
        """
        x = self._project(a)
        spread = self.eigenvalues.rsqrt()  # [P, D]
        out = torch.empty(len(a), n_samples, len(self.v), dtype=_kept(a))
        for k in range(n_samples):
            noise = torch.randn(spread.shape, generator=generator, dtype=torch.float64)
            out[:, k] = (x @ (noise * spread) @ self.v.mT).to(out.dtype)
        return out

    @cached_property
    def _shape(self) -> Tensor:
        """S's eigenvalues, [D]."""
        if self.damping is Damping.FACTORED:
            return (math.sqrt(self.tau) * self.beta + math.sqrt(self.prior_precision)).reciprocal()
        weight = self.alpha if float(self.alpha.sum()) > 0 else torch.ones_like(self.alpha)
        return (weight / weight.sum()) @ self.eigenvalues.reciprocal()

    def _project(self, a: Tensor) -> Tensor:
        """`a U`, [N, P] float64."""
        if a.dim() != 2 or a.shape[1] != len(self.alpha):
            raise ValueError(f"activations must be [N, P], P = {len(self.alpha)}, got {tuple(a.shape)}")
        return a.double() @ self.u


def psd_eigen(matrix: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Eigenvalues, rounded up to zero, and eigenvectors of a symmetric PSD matrix, in float64.

    Raises ValueError, naming the matrix, where it is not square, not finite, not symmetric or clearly not
    positive semi-definite.
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.numel():
        raise ValueError(f"{name} must be a square matrix, got shape {tuple(matrix.shape)}")
    full = matrix.double()
    if not bool(torch.isfinite(full).all()):
        raise ValueError(f"{name} has entries that are not finite")
    if float((full - full.mT).abs().max()) > FLOAT32_NOISE * float(full.abs().max()):
        raise ValueError(f"{name} is not symmetric")
    values, vectors = torch.linalg.eigh((full + full.mT) / 2)
    if float(values[0]) < -FLOAT32_NOISE * float(values.abs().max()):
        raise ValueError(f"{name} is not positive semi-definite, smallest eigenvalue {float(values[0]):.3g}")
    return values.clamp_min(0), vectors


def _kept(rows: Tensor) -> torch.dtype:
    """Type of a result: that of `rows`, float32 at the least."""
    return torch.promote_types(rows.dtype, torch.float32)
