"""The variational bound of softmax regression in whitened dual coordinates, and its maximum.

See `variational` for the model and the equations. Shapes use the glossary of `probal.types`; r is the rank of the
labeled rows, Φ [n,r]. float64 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from probal.adapters._expected_softmax import Expectation, antithetic_nodes, expect

_TOLERANCE = 1e-4
"""Nats of the bound that a round of steps must gain to be followed by another."""
_MAX_ROUNDS, _MAX_HALVINGS, _MAX_CG = 60, 8, 60
_NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class Bound:
    """The bound as a function of m [r,C] and Λ [n,C]; offset [n,C], Φ [n,r], y [n], g [C], T."""

    offset: Tensor
    phi: Tensor
    y: Tensor
    gains: Tensor
    temperature: float

    def spread(self, precision: Tensor) -> tuple[Tensor, float]:
        """Variances [n,C] of the labeled logits, and ½ Σ_c (tr A_c⁻¹ − r + log det A_c), S_c = T A_c⁻¹."""
        gram = self.phi @ self.phi.T  # [n,n]
        columns, volume = [], 0.0
        for weight in (self.gains.square() * precision).unbind(1):
            active = _active(self.phi, weight)
            if len(active) > self.phi.shape[1]:
                chol = _cholesky(self.phi.T @ (weight.unsqueeze(1) * self.phi))  # [r,r], of A_c itself
                seen = torch.linalg.solve_triangular(chol, self.phi.T, upper=False)  # [r,n]
                columns.append(seen.square().sum(0))
            else:
                root = weight[active].sqrt().unsqueeze(1)
                chol = _cholesky(root * gram[active][:, active] * root.T)  # [a,a], Woodbury
                seen = torch.linalg.solve_triangular(chol, root * gram[active], upper=False)  # [a,n]
                columns.append(gram.diagonal() - seen.square().sum(0))
            inverse = torch.linalg.solve_triangular(chol, torch.eye(len(chol), dtype=chol.dtype), upper=False)
            volume += float(chol.diagonal().log().sum() + 0.5 * (inverse.square().sum() - len(chol)))
        var = self.temperature * self.gains.square() * torch.stack(columns, 1)
        return var.clamp(min=0), volume

    def logits(self, mean: Tensor) -> Tensor:
        """Means [n,C] of the labeled logits."""
        return self.offset + (self.phi @ mean) * self.gains

    def value(self, mean: Tensor, logits: Tensor, expected: Expectation, volume: float) -> float:
        """T · ELBO in nats."""
        fit = logits.gather(1, self.y.unsqueeze(1)).sum() - expected.log_sum.sum()
        return float(fit - 0.5 * mean.square().sum()) - self.temperature * volume

    def gradient(self, mean: Tensor, expected: Expectation) -> Tensor:
        """∂(T · ELBO)/∂m [r,C]."""
        residual = one_hot(self.y, len(self.gains)).to(mean) - expected.probs  # [n,C]
        return self.phi.T @ (residual * self.gains) - mean


@dataclass(frozen=True)
class Optimum:
    """m [r,C], Λ [n,C], and the bound there."""

    mean: Tensor
    precision: Tensor
    value: float


def label_factors(rows: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """U [a,p] with UᵀU = rowsᵀ diag(weight) rows, and the Cholesky factor of I + U Uᵀ, a ≤ min(n, p).

    rows [n,p], weight [n] not negative. Rows that add less than `_NEGLIGIBLE` to any precision are left out: the
    bound is that of the Gaussian without them, so it stays a bound, and many classes cost little more than few.
    """
    active = _active(rows, weight)
    u = weight[active].sqrt().unsqueeze(1) * rows[active]
    if len(u) > u.shape[1]:
        u = torch.linalg.qr(u, mode="r").R
    return _cholesky(u @ u.T), u


def _active(rows: Tensor, weight: Tensor) -> Tensor:
    """Rows that are not negligible, indices [a]."""
    return (weight * rows.square().sum(1) > _NEGLIGIBLE).nonzero().squeeze(1)


def _cholesky(a: Tensor) -> Tensor:
    """Of I + a."""
    return torch.linalg.cholesky(torch.eye(len(a), dtype=a.dtype) + a)


def maximize(problem: Bound, start: Tensor) -> Optimum:
    """Alternate Newton steps on m and natural gradient steps on Λ until neither gains `_TOLERANCE` nats.

    The bound is concave in m and the Cholesky factors of S (Challis and Barber 2013), so its maximum is the only
    one; a step that would lower it by more than the tolerance is halved.
    """
    mean, logits = start, problem.logits(start)
    nodes = antithetic_nodes(*logits.shape)
    expected = expect(logits, torch.zeros_like(logits), nodes[:2])
    precision = expected.curvature  # Laplace's own
    var, volume = problem.spread(precision)
    expected = expect(logits, var, nodes)
    value = problem.value(mean, logits, expected, volume)
    for _ in range(_MAX_ROUNDS):
        before = value
        gradient = problem.gradient(mean, expected)
        step = _newton_step(problem, expected.kept, gradient)
        size = 1.0
        for _ in range(_MAX_HALVINGS):
            moved = mean + size * step
            moved_logits = problem.logits(moved)
            found = expect(moved_logits, var, nodes)
            new = problem.value(moved, moved_logits, found, volume)
            if new >= value:
                mean, logits, expected, value = moved, moved_logits, found, new
                break
            size *= 0.5
        size = 1.0
        for _ in range(_MAX_HALVINGS):
            tried = (1 - size) * precision + size * expected.curvature
            tried_var, tried_volume = problem.spread(tried)
            found = expect(logits, tried_var, nodes)
            new = problem.value(mean, logits, found, tried_volume)
            if new >= value - _TOLERANCE:
                precision, var, volume, expected, value = tried, tried_var, tried_volume, found, new
                break
            size *= 0.5
        if value - before < _TOLERANCE:
            break
    return Optimum(mean, precision, value)


def _newton_step(problem: Bound, probs: Tensor, gradient: Tensor) -> Tensor:
    """Solve ``H step = gradient`` by conjugate gradients, H = I + mean_k Φᵀ(diag π_k − π_k π_kᵀ)Φ, probs [k,n,C]."""
    phi, gains = problem.phi, problem.gains
    spread = gains.square() * (probs * (1 - probs)).mean((0, 1)) if len(phi) else torch.zeros_like(gains)
    inverse = 1 / (1 + phi.square().sum(0).unsqueeze(1) * spread)  # [r,C]
    average = probs.mean(0)  # [n,C]
    step = torch.zeros_like(gradient)
    residual = gradient
    z = inverse * residual
    direction, rz = z, (residual * z).sum()
    stop = 1e-3 * float(gradient.norm())
    for _ in range(_MAX_CG):
        if float(residual.norm()) <= stop:
            break
        moved = (phi @ direction) * gains  # [n,C]
        along = (probs * moved).sum(-1, keepdim=True)  # [k,n,1]
        curved = average * moved - (probs * along).mean(0)
        image = direction + phi.T @ (curved * gains)
        alpha = rz / (direction * image).sum()
        step = step + alpha * direction
        residual = residual - alpha * image
        z = inverse * residual
        new = (residual * z).sum()
        direction, rz = z + (new / rz) * direction, new
    return step
