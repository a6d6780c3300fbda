"""k-center: the batch that leaves no image far from a label."""

from __future__ import annotations

import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice

_CENTRES = 64
"""Covered images compared with the pool at once: one matrix product each, [N,64]."""


def k_center(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """Greedy core-set: each pick is the image farthest from all labeled, pending and picked ones.

    Sener and Savarese 2018 (arXiv 1708.00489, algorithm 1): the largest distance left is at most twice that of
    the best batch. Before anything is covered it begins at the image nearest the pool's mean, where the farthest
    one would be an outlier. The score is the distance to the nearest covered image; of that first pick, to the mean.
    """
    rows = state.candidates
    x = state.embeddings[rows]
    distance = torch.full((len(rows),), torch.inf, dtype=x.dtype)
    for covered in state.covered.split(_CENTRES) if len(state.covered) else ():
        distance = torch.minimum(distance, distances(x, state.embeddings[covered]).amin(1))
    free = torch.ones(len(rows), dtype=torch.bool)
    choices: list[Choice] = []
    for _ in range(batch):
        if len(state.covered) or choices:
            at = int(distance.where(free, -1).argmax())
            score = float(distance[at])
        else:
            to_mean = distances(x, state.embeddings.mean(0, keepdim=True)).squeeze(1)
            at = int(to_mean.argmin())
            score = float(to_mean[at])
        choices.append(Choice(int(rows[at]), score, "coverage"))
        free[at] = False
        distance = torch.minimum(distance, distances(x, x[at : at + 1]).squeeze(1))
    return choices


def distances(x: Tensor, centres: Tensor) -> Tensor:
    """Euclidean distances [m,k] of rows [m,D] to centres [k,D], by their inner products."""
    square = x.square().sum(1, keepdim=True) + centres.square().sum(1) - 2 * x @ centres.mT
    return square.clamp(min=0).sqrt()
