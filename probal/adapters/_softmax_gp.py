"""Mode of softmax regression with a Gaussian prior, in coordinates that do not grow with D.

The model, for one fixed prior scale and amplitude::

    logits  F = offset + Φ B diag(g)      offset [n,C], Φ [n,r], B [r,C], g [C]
    prior   B ~ N(0, I)                   labels y ~ softmax(F)

g widens or narrows the prior of single classes. With x = U S Vᵀ (rank r ≤ min(n, D)) and Φ = √κ U S this is the
class-prototype model of BayesAdapter (arXiv 2412.09718, eq. 5) and, equally, a multi-class Gaussian process with
kernel κ xxᵀ (Rasmussen and Williams, 2006, §3.5).
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


def span_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates U S [n,r] of rows x [n,D] in their own span, and its basis V [D,r]; r = 0 without rows.

    By the eigenvectors of the Gram matrix, a quarter of the time of a singular value decomposition; directions
    below 1e-6 of the largest singular value are left out. float64 whatever x is.
    """
    x = x.double()
    values, u = torch.linalg.eigh(x @ x.T)
    seen = values > 1e-12 * values[-1:].sum()
    s = values[seen].sqrt()
    coordinates = u[:, seen] * s
    return coordinates, x.T @ (u[:, seen] / s)


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

    offset [n,C], phi [n,r], y [n] int64, start [r,C], gains [C] (ones when None). Ends with the step whose
    Newton decrement, about twice the distance from the largest log joint in nats, is below `tolerance`: that
    step is taken, and what is left after it is far smaller. Raises FloatingPointError when the inputs are not
    finite.
    """
    if not torch.isfinite(offset).all() or not torch.isfinite(phi).all():
        raise FloatingPointError("logits of the labeled images are not finite")
    onehot = one_hot(y, offset.shape[1]).to(offset.dtype)
    weights = torch.zeros(phi.shape[1], offset.shape[1], dtype=offset.dtype) if start is None else start
    g = torch.ones_like(offset[:1].sum(0)) if gains is None else gains
    value, probs = _log_joint(offset, phi, g, onehot, weights)
    for _ in range(_MAX_NEWTON):
        gradient = phi.T @ ((onehot - probs) * g) - weights  # [r,C]
        step = _solve_newton(phi, probs, g, gradient)
        decrement = float((gradient * step).sum())
        size = 1.0
        while True:
            candidate = weights + size * step
            new_value, new_probs = _log_joint(offset, phi, g, onehot, candidate)
            if new_value >= value + 1e-4 * size * decrement or size < 1e-6 or decrement < tolerance:
                break
            size *= 0.5
        if new_value <= value:
            break
        weights, value, probs = candidate, new_value, new_probs
        if decrement < tolerance:
            break
    return Mode(weights, probs, value)


def _solve_newton(phi: Tensor, probs: Tensor, gains: Tensor, gradient: Tensor) -> Tensor:
    """Solve ``H step = gradient`` by preconditioned conjugate gradients, H = I + Φᵀ(diag π − ππᵀ)Φ."""
    spread = gains.square() * (probs * (1 - probs)).mean(0)  # [C]
    inverse = 1 / (1 + phi.square().sum(0).unsqueeze(1) * spread)  # [r,C], Jacobi in the singular basis
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
