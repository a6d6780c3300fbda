"""Mode of softmax regression with a Gaussian prior, in the dual: its cost grows with the labels, not with D.

The model, for one fixed prior scale and amplitude::

    logits  F = offset + K A diag(g²)      offset [n,C], kernel K [n,n], representer weights A [n,C], g [C]
    prior   F_c − offset_c ~ N(0, g_c² K)  labels y ~ softmax(F)

g widens or narrows the prior of single classes. With K = κ XXᵀ this is the class-prototype model of BayesAdapter
(arXiv 2412.09718, eq. 5), whose weights move by κ g_c² Xᵀ A_c, and equally a multi-class Gaussian process (Rasmussen
and Williams, 2006, §3.5). At the mode A = onehot(y) − π.
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
    """Representer weights A of the mode, logits and probabilities there, all [n,C]; log p(y, F) up to K's part."""

    representer: Tensor
    logits: Tensor
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


def find_mode(
    offset: Tensor,
    gram: Tensor,
    y: Tensor,
    start: Tensor | None = None,
    tolerance: float = 1e-7,
    gains: Tensor | None = None,
) -> Mode:
    """Newton with conjugate gradients; the objective is strictly concave, so any start ends at the mode.

    offset [n,C], gram K [n,n], y [n] int64, start A [n,C], gains [C] (ones when None). Ends with the step whose
    Newton decrement, about twice the distance from the largest log joint in nats, is below `tolerance`: that
    step is taken, and what is left after it is far smaller. Raises FloatingPointError when the inputs are not
    finite.
    """
    if not torch.isfinite(offset).all() or not torch.isfinite(gram).all():
        raise FloatingPointError("logits of the labeled images are not finite")
    onehot = one_hot(y, offset.shape[1]).to(offset.dtype)
    squared = torch.ones_like(offset[:1].sum(0)) if gains is None else gains.square()
    weights = torch.zeros_like(offset) if start is None else start
    moved = (gram @ weights) * squared  # [n,C] F − offset
    value, probs = _log_joint(offset, onehot, weights, moved)
    for _ in range(_MAX_NEWTON):
        residual = onehot - probs - weights
        step, moved_step = _solve_newton(gram, probs, squared, residual)
        decrement = float((residual * moved_step).sum())
        size = 1.0
        while True:
            candidate, there = weights + size * step, moved + size * moved_step
            new_value, new_probs = _log_joint(offset, onehot, candidate, there)
            if new_value >= value + 1e-4 * size * decrement or size < 1e-6 or decrement < tolerance:
                break
            size *= 0.5
        if new_value <= value:
            break
        weights, moved, value, probs = candidate, there, new_value, new_probs
        if decrement < tolerance:
            break
    return Mode(weights, offset + moved, probs, value)


def _log_joint(offset: Tensor, onehot: Tensor, weights: Tensor, moved: Tensor) -> tuple[float, Tensor]:
    """log p(y|F) − ½ Σ_c g_c² A_cᵀ K A_c and the probabilities [n,C]."""
    log_p = torch.log_softmax(offset + moved, dim=1)
    return float((log_p * onehot).sum() - 0.5 * (weights * moved).sum()), log_p.exp()


def _solve_newton(gram: Tensor, probs: Tensor, squared: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Solve ``(I + (diag π − ππᵀ) K) step = residual`` for the step [n,C], and K step diag(g²).

    Conjugate gradients in the inner product of K, in which the matrix is symmetric: the same iterates as in
    coordinates of the span, for half the products.
    """
    step, moved_step = torch.zeros_like(residual), torch.zeros_like(residual)
    # changed in place, as all below: a small fit is many small operations
    residual = residual.clone(memory_format=torch.contiguous_format)
    moved = (gram @ residual).mul_(squared)
    direction, moved_direction, curved = residual.clone(), moved.clone(), torch.empty_like(residual)
    left, moved_left, curve, toward = (each.view(-1) for each in (residual, moved, curved, moved_direction))
    square = float(left.dot(moved_left))
    stop = min(0.03, square**0.5 if square > 0 else 0.0) * square
    for _ in range(_MAX_CG):
        if square <= stop:  # negative only by rounding
            break
        torch.mul(probs, moved_direction, out=curved)
        shared = curved.sum(1, keepdim=True)
        curved.add_(direction).addcmul_(probs, shared, value=-1)
        curvature = float(toward.dot(curve))
        if curvature <= 0:  # rounding alone: images that are the same under labels that are not
            break
        alpha = square / curvature
        step.add_(direction, alpha=alpha)
        moved_step.add_(moved_direction, alpha=alpha)
        residual.sub_(curved, alpha=alpha)
        torch.mm(gram, residual, out=moved).mul_(squared)
        new_square = float(left.dot(moved_left))
        direction.mul_(new_square / square).add_(residual)
        moved_direction.mul_(new_square / square).add_(moved)
        square = new_square
    return step, moved_step
