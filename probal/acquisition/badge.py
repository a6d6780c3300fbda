"""BADGE: gradients of the last layer, large and unlike each other.

    g_i = (p_i − e_ŷ) ⊗ x_i,  ŷ = argmax p_i          gᵢ·gⱼ = (rᵢ·rⱼ)(xᵢ·xⱼ),  r = p − e_ŷ

(Ash et al. 2020, arXiv 1906.03671, eq. 1 and algorithm 1.) The gradients [N, C·D] are outer products, so their
distances come from inner products of the two sides and the gradients are never formed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice


def residuals(predictive: Tensor) -> Tensor:
    """p − e_ŷ, [N,C]: the loss's gradient in the logits if the likeliest class were the label."""
    return predictive.scatter_add(1, predictive.argmax(1, keepdim=True), -torch.ones_like(predictive[:, :1]))


def square_distances(r: Tensor, x: Tensor, at: int) -> Tensor:
    """|g_i − g_at|² of all gradients r_i ⊗ x_i, [N]; zero where rounding is all there is."""
    size = r.square().sum(1) * x.square().sum(1)  # [N]
    both = size + size[at]
    distance = both - 2 * (r @ r[at]) * (x @ x[at])
    return distance.where(distance > 64 * torch.finfo(x.dtype).eps * both, 0)


def badge(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """k-means++ seeding over the gradients; pending and closed images are centres already.

    The score is the squared distance. The first is drawn like the later ones, its distance being that to the
    origin, a gradient that teaches nothing. Where every gradient left coincides with a centre the draw is uniform.
    """
    rows = state.candidates
    everything = torch.cat([rows, state.pending, state.closed])
    r = residuals(state.uncertainty.predictive[everything])  # [m,C]
    x = state.embeddings[everything].to(r.dtype)
    distance = r.square().sum(1) * x.square().sum(1)  # [m]
    for at in range(len(rows), len(everything)):
        distance = torch.minimum(distance, square_distances(r, x, at))
    if not bool(torch.isfinite(distance).all()):
        raise FloatingPointError("gradients of the last layer are not finite")
    free = torch.ones(len(rows), dtype=torch.bool)
    choices: list[Choice] = []
    for _ in range(batch):
        weight = (distance[: len(rows)] * free).double()
        weight = weight if bool((weight > 0).any()) else free.double()
        mark = torch.rand(1, dtype=torch.float64, generator=generator) * weight.sum()
        at = min(int(torch.searchsorted(weight.cumsum(0), mark, right=True)), len(rows) - 1)
        at = at if bool(weight[at] > 0) else int(weight.argmax())
        choices.append(Choice(int(rows[at]), float(distance[at]), "gradient"))
        free[at] = False
        distance = torch.minimum(distance, square_distances(r, x, at))
    return choices
