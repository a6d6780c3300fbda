"""Hamiltonian Monte Carlo on BayesAdapter's exact posterior: many chains at once, a fixed step, float64.

Neal 2011 (arXiv 1206.1901). The class weights are whitened by their prior, so that one step size fits all of them;
the number of leapfrog steps is drawn anew for each trajectory, against resonance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot


@dataclass(frozen=True)
class Chains:
    """Draws of the logit weights after burn-in, and how the chains went."""

    weights: Tensor  # [S,M,C,D], S trajectories of M chains
    accepted: float  # share of proposals
    r_hat: float  # largest over all weights (Gelman and Rubin); 1 when the chains agree


def sample_posterior(
    x: Tensor,
    y: Tensor,
    prototypes: Tensor,
    scale: float,
    amplitude: float,
    generator: torch.Generator,
    chains: int = 128,
    draws: int = 600,
    burn_in: int = 150,
    step: float = 0.25,
    most_leaps: int = 16,
) -> Chains:
    """Logits ``x w_cᵀ``, ``w_c ~ N(scale · prototype_c, amplitude · I)``; x [n,D], y [n], prototypes [C,D]."""
    centre, root = scale * prototypes, amplitude**0.5
    onehot = one_hot(y, len(centre)).double()  # [n,C]

    def density(b: Tensor) -> tuple[Tensor, Tensor]:
        """Log joint [M] and its gradient [M,C,D] at whitened weights b."""
        log_p = torch.log_softmax((centre + root * b) @ x.T, 1)  # [M,C,n]
        value = (log_p * onehot.T).sum((1, 2)) - 0.5 * b.square().sum((1, 2))
        return value, root * (onehot.T - log_p.exp()) @ x - b

    def normal() -> Tensor:
        return torch.randn(chains, *centre.shape, generator=generator, dtype=torch.float64)

    b = normal()
    value, gradient = density(b)
    kept, accepted = [], 0.0
    for t in range(burn_in + draws):
        start_momentum = momentum = normal()
        moved, slope = b, gradient
        for _ in range(int(torch.randint(most_leaps // 2, most_leaps + 1, (), generator=generator))):
            momentum = momentum + 0.5 * step * slope
            moved = moved + step * momentum
            new_value, slope = density(moved)
            momentum = momentum + 0.5 * step * slope
        kinetic = 0.5 * (start_momentum.square() - momentum.square()).sum((1, 2))
        chance = (new_value - value + kinetic).exp()  # [M]
        take = torch.rand(chains, generator=generator, dtype=torch.float64) < chance
        b, gradient = (
            torch.where(take[:, None, None], moved, b),
            torch.where(take[:, None, None], slope, gradient),
        )
        value = torch.where(take, new_value, value)
        if t >= burn_in:
            kept.append(b)
            accepted += float(take.double().mean()) / draws
    samples = torch.stack(kept)  # [S,M,C,D]
    within = samples.var(0).mean(0)
    between = samples.mean(0).var(0)
    r_hat = float((1 - 1 / draws + between / within).sqrt().max())
    return Chains(centre + root * samples, accepted, r_hat)
