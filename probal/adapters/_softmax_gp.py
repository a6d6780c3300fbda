"""Mode, evidence and covariance of softmax regression with a Gaussian prior, in whitened dual coordinates.

The model, for one fixed prior scale and amplitude::

    logits  F = offset + Φ B diag(g)      offset [n,C], Φ [n,r], B [r,C], g [C]
    prior   B ~ N(0, I)                   labels y ~ softmax(F)

g widens or narrows the prior of single classes. With x = U S Vᵀ (rank r ≤ min(n, D)) and Φ = √κ U S this is the
class-prototype model of BayesAdapter
(arXiv 2412.09718, eq. 5) and, equally, a multi-class Gaussian process with kernel κ xxᵀ (Rasmussen and
Williams, 2006, §3.5). Nothing here scales with D. All arrays are float64: n is small and the
determinants of nearly separable problems need it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

_MAX_NEWTON = 60
_MAX_CG = 80


@dataclass(frozen=True)
class Mode:
    """Posterior mode B [r,C], probabilities there [n,C], and the log joint density log p(y, B)."""

    weights: Tensor
    probs: Tensor
    log_joint: float


@dataclass(frozen=True)
class Curvature:
    """Structured Hessian ``blkdiag(A_c) − QQᵀ`` at the mode, Q_c = g_c Φᵀ diag(π_c).

    `chol_a` [C,r,r] are Cholesky factors of ``A_c = I + g_c² Φᵀ diag(π_c) Φ``; `chol_m` [n,n] is that of
    ``M = I − Σ_c Q_cᵀ A_c⁻¹ Q_c``, the Schur complement (R&W eq. 3.46: M = Σ_c E_c).
    """

    chol_a: Tensor
    chol_m: Tensor
    probs: Tensor
    phi: Tensor
    gains: Tensor

    def log_det(self) -> float:
        """log det of the Hessian, classes' coupling included, exact."""
        blocks = self.chol_a.diagonal(dim1=-2, dim2=-1).log().sum()
        return float(2 * (blocks + self.chol_m.diagonal().log().sum()))

    def marginal_covariance(self) -> Tensor:
        """Blocks (H⁻¹)_cc [C,r,r] of the full inverse Hessian: what remains after the other classes move."""
        eye = torch.eye(self.phi.shape[1], dtype=self.phi.dtype)
        inverse_a = torch.cholesky_solve(eye.expand_as(self.chol_a), self.chol_a)  # [C,r,r]
        weighted = (self.gains * self.probs).T.unsqueeze(-1) * (self.phi @ inverse_a)  # [C,n,r]
        gain = torch.linalg.solve_triangular(self.chol_m, weighted, upper=False)  # [C,n,r]
        return inverse_a + gain.mT @ gain


def span_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates U S [n,r] of rows x [n,D] in their own span, and its basis V [D,r]; r = 0 without rows."""
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    rank = int((s > 1e-6 * s[:1].sum()).sum())
    return u[:, :rank] * s[:rank], vt[:rank].T


def _log_joint(
    offset: Tensor, phi: Tensor, gains: Tensor, onehot: Tensor, weights: Tensor
) -> tuple[float, Tensor]:
    """log p(y, B) up to the prior's constant, and the probabilities [n,C]."""
    log_p = torch.log_softmax(offset + (phi @ weights) * gains, dim=1)
    return float((log_p * onehot).sum() - 0.5 * weights.square().sum()), log_p.exp()


def find_mode(
    offset: Tensor,
    phi: Tensor,
    y: Tensor,
    start: Tensor | None = None,
    tolerance: float = 1e-7,
    gains: Tensor | None = None,
) -> Mode:
    """Newton with conjugate gradients; the objective is strictly concave, so any start ends at the mode.

    offset [n,C], phi [n,r], y [n] int64, start [r,C], gains [C] (ones when None);
    `tolerance` bounds the Newton decrement, about twice the
    distance from the largest log joint in nats. Raises FloatingPointError when the inputs are not finite.
    """
    onehot = one_hot(y, offset.shape[1]).to(offset.dtype)
    weights = torch.zeros(phi.shape[1], offset.shape[1], dtype=offset.dtype) if start is None else start
    g = torch.ones_like(offset[:1].sum(0)) if gains is None else gains
    value, probs = _log_joint(offset, phi, g, onehot, weights)
    if not torch.isfinite(offset).all() or not torch.isfinite(phi).all():
        raise FloatingPointError("logits of the labeled images are not finite")
    for _ in range(_MAX_NEWTON):
        gradient = phi.T @ ((onehot - probs) * g) - weights  # [r,C]
        step = _solve_newton(phi, probs, g, gradient)
        decrement = float((gradient * step).sum())
        if decrement < tolerance:
            break
        size = 1.0
        while True:
            candidate = weights + size * step
            new_value, new_probs = _log_joint(offset, phi, g, onehot, candidate)
            if new_value >= value + 1e-4 * size * decrement or size < 1e-6:
                break
            size *= 0.5
        if new_value <= value:
            break
        weights, value, probs = candidate, new_value, new_probs
    return Mode(weights, probs, value)


def _solve_newton(phi: Tensor, probs: Tensor, gains: Tensor, gradient: Tensor) -> Tensor:
    """Solve ``H step = gradient`` by preconditioned conjugate gradients, H = I + Φᵀ(diag π − ππᵀ)Φ."""
    spread = gains.square() * (probs * (1 - probs)).mean(0)  # [C]
    inverse = 1 / (1 + phi.square().sum(0).unsqueeze(1) * spread)  # [r,C], exact diagonal for even spread
    step = torch.zeros_like(gradient)
    residual = gradient
    z = inverse * residual
    direction = z
    rz = (residual * z).sum()
    stop = min(0.1, float(gradient.norm()) ** 0.5) * float(gradient.norm())
    for _ in range(_MAX_CG):
        if float(residual.norm()) <= stop:
            break
        moved = (phi @ direction) * gains  # [n,C]
        curved = probs * moved
        curved = curved - probs * curved.sum(1, keepdim=True)
        hessian_direction = direction + phi.T @ (curved * gains)
        alpha = rz / (direction * hessian_direction).sum()
        step = step + alpha * direction
        residual = residual - alpha * hessian_direction
        z = inverse * residual
        new_rz = (residual * z).sum()
        direction = z + (new_rz / rz) * direction
        rz = new_rz
    return step


def curvature(phi: Tensor, probs: Tensor, gains: Tensor | None = None) -> Curvature:
    """Factor the Hessian at the mode: C Cholesky factors of size r and one of size n.

    phi [n,r], probs [n,C], gains [C] (ones when None).
    """
    g = torch.ones_like(probs[:1].sum(0)) if gains is None else gains
    n, rank = phi.shape
    eye = torch.eye(rank, dtype=phi.dtype)
    q = (g * probs).T.unsqueeze(-1) * phi  # [C,n,r]
    chol_a = torch.linalg.cholesky(eye + g[:, None, None] * (phi.T @ q))
    half = torch.linalg.solve_triangular(chol_a, q.mT, upper=False)  # [C,r,n]
    flat = half.reshape(half.shape[0] * rank, n)
    schur = torch.eye(n, dtype=phi.dtype) - flat.T @ flat
    # rows whose probabilities are saturated leave M singular to rounding; the jitter is below 1e-9 of its unit scale
    chol_m = torch.linalg.cholesky(schur + 1e-10 * torch.eye(n, dtype=phi.dtype))
    return Curvature(chol_a, chol_m, probs, phi, g)


def log_evidence(mode: Mode, curved: Curvature) -> float:
    """Laplace's approximation of log p(y): log joint at the mode − ½ log det H (R&W eq. 3.44)."""
    return mode.log_joint - 0.5 * curved.log_det()
