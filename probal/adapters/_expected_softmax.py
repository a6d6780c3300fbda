"""Expectations of the softmax likelihood under independent Gaussian logits, for variational inference.

Shapes use the glossary of `probal.types`. For f_ic ~ N(mean_ic, var_ic), independent over classes, with
π = softmax(f) (Bonnet's and Price's theorems)::

    L_i = E log Σ_c exp f_ic        ∂L_i/∂mean_ic = E π_ic        2 ∂L_i/∂var_ic = E π_ic (1 − π_ic)

Quasi-Monte Carlo on fixed antithetic Sobol nodes: deterministic, so that an optimizer may compare two values.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probal.gaussian.predictive import normal_nodes

_NODE_ELEMENTS = 1 << 22
"""K·n·C aimed at: few labels are integrated with many nodes, many with the fewest."""
_FEWEST, _MOST = 64, 1024
KEPT = 8
"""Nodes whose probabilities are kept for the expected Hessian."""


@dataclass(frozen=True)
class Expectation:
    """What one pass over the nodes yields."""

    log_sum: Tensor  # [n]     E log Σ_c exp f_ic
    probs: Tensor  # [n,C]   E π
    curvature: Tensor  # [n,C]   E π(1−π)
    kept: Tensor  # [KEPT,n,C]   π at the first nodes


def antithetic_nodes(n: int, classes: int) -> Tensor:
    """Standard normal nodes [K,C] float64, each beside its mirror image; K even, a power of two."""
    k = _MOST
    while k > _FEWEST and k * n * classes > _NODE_ELEMENTS:
        k //= 2
    half = normal_nodes(k // 2, classes)  # [K/2,C]
    return torch.stack([half, -half], 1).reshape(k, classes)


def expect(mean: Tensor, var: Tensor, nodes: Tensor) -> Expectation:
    """Averages over nodes [K,C] of logits with moments [n,C]; memory is a few arrays of that shape."""
    spread = var.sqrt()
    log_sum, probs, square = torch.zeros_like(mean[:, 0]), torch.zeros_like(mean), torch.zeros_like(mean)
    kept = []
    for k, node in enumerate(nodes.to(mean)):
        z = torch.addcmul(mean, spread, node)  # [n,C]
        total = torch.logsumexp(z, 1)  # [n]
        p = torch.exp(z - total.unsqueeze(1))
        log_sum += total
        probs += p
        square.addcmul_(p, p)
        if k < KEPT:
            kept.append(p)
    probs /= len(nodes)
    return Expectation(log_sum / len(nodes), probs, probs - square / len(nodes), torch.stack(kept))
