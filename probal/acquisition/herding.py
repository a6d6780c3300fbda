"""Uncertainty herding: label where the labels so far leave most doubt in their surroundings.

After Bae, Sutherland and Oliveira (2024, arXiv 2412.20644), whose one criterion serves few labels and many. A labeled
image s covers a pool image i by a kernel k(i, s); what is not covered counts by how much the model doubts it::

    gain(j) = Σ_i doubt_i · max(0, k(i, j) − max_s k(i, s))          doubt = 1 − margin

Before a model knows anything every doubt is the same and the gain is coverage; outliers cover nobody and are never
asked, however doubtful; and the images of one batch do not cover the same ground twice. The sum is submodular, so
greedy picks lose at most a factor of 1 − 1/e.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice

WINDOW = 6_000
"""Images that count and may be picked, a uniform sample of larger pools: the kernel has their square."""
REACH = 0.5
"""Of the squared distance within which a label's share of the pool lies, one unit of the kernel."""
_ROWS_FOR_RADIUS = 400
_FLOOR = 1e-3
"""Least doubt: an image that the model is sure of still counts a little, so ties fall to coverage."""
_KNOWS_NOTHING = 0.9


def herding(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """B greedy picks by doubt not yet covered. The score is the share of the pool's doubt that a pick covers.

    The kernel is exp(−d²/ρ), d the distance of unit rows once the pool's mean is taken out. ρ follows the labels:
    REACH times the median squared distance to the (N / (n + B))-th neighbour, so that n + B labels share the pool; B
    is what will be labeled before the next fit where more is asked for.
    """
    rows = _window(state.candidates, max(WINDOW, batch), generator)
    centre = state.embeddings[rows].float().mean(0)
    points = _unit(state.embeddings[rows].float() - centre)  # [m,D]
    covered = _unit(state.embeddings[state.covered].float() - centre)
    distance = (2 - 2 * points @ points.T).clamp_(min=0)  # [m,m]
    soon = batch if state.fitted_after is None else min(batch, state.fitted_after)
    radius = _radius(distance, len(covered) + soon, generator)
    kernel = distance.div_(-radius).exp_()
    reached = torch.zeros(len(rows))
    if len(covered):
        reached = (2 - 2 * points @ covered.T).clamp_(min=0).amin(1).div_(-radius).exp_()
    best = state.uncertainty.predictive[rows].topk(2, dim=1).values.float()  # [m,2]
    doubt = (1 - (best[:, 0] - best[:, 1])).clamp(min=_FLOOR)
    phase = "coverage" if float(doubt.mean()) > _KNOWS_NOTHING else "uncertainty"
    state.decided.update(_decided(radius, reached, doubt))
    picked = greedy(kernel, reached, doubt, batch)
    return [Choice(int(rows[at]), gain, phase) for at, gain in picked]


def _decided(radius: float, reached: Tensor, doubt: Tensor) -> dict[str, float]:
    """For the round's record, over the m images that count; shares and doubts in [0, 1].

    `reach` is the cosine, mean taken out, down to which a label covers more than 1/e of an image. `counting` is the
    share of equally doubted images that would weigh as much, (Σ doubt)² / (m Σ doubt²): 1 is coverage alone.
    """
    total = float(doubt.sum())
    return {
        "reach": 1 - radius / 2,
        "covered": float(reached.mean()),
        "doubt": total / len(doubt),
        "doubt_covered": float(doubt @ reached) / total,
        "counting": total**2 / (len(doubt) * float(doubt.square().sum())),
        "looked_at": len(doubt),
    }


def greedy(kernel: Tensor, reached: Tensor, doubt: Tensor, batch: int) -> list[tuple[int, float]]:
    """Positions and gains of B picks; kernel [m,m] symmetric, reached and doubt [m], B ≤ m.

    Gains are fractions of Σ doubt. Each pick changes the coverage of its surroundings only, and only their part of
    the gains is summed anew.
    """
    reached, doubt = reached.clone(), doubt / doubt.sum()
    gains = doubt @ (kernel - reached.unsqueeze(1)).clamp_(min=0)  # [m]
    free = torch.ones(len(doubt), dtype=torch.bool)
    picked: list[tuple[int, float]] = []
    for _ in range(batch):
        at = int(gains.masked_fill(~free, -torch.inf).argmax())
        picked.append((at, max(float(gains[at]), 0.0)))
        free[at] = False
        changed = (kernel[at] > reached).nonzero().squeeze(1)
        rows, before, after = kernel[changed], reached[changed, None], kernel[at, changed, None]
        gains -= doubt[changed] @ ((rows - before).clamp_(min=0) - (rows - after).clamp_(min=0))
        reached[changed] = kernel[at, changed]
    return picked


def _radius(distance: Tensor, labels: int, generator: torch.Generator) -> float:
    """Squared distance over which the kernel falls to 1/e; distance [m,m] squared."""
    m = len(distance)
    some = torch.randperm(m, generator=generator)[:_ROWS_FOR_RADIUS]
    share = min(m, max(2, round(m / labels) + 1))  # the image itself is its own first neighbour
    return max(REACH * float(distance[some].kthvalue(share, dim=1).values.median()), 1e-6) if m > 1 else 1.0


def _window(candidates: Tensor, size: int, generator: torch.Generator) -> Tensor:
    if len(candidates) <= size:
        return candidates
    return candidates[torch.randperm(len(candidates), generator=generator)[:size]].sort().values


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
