"""Strategies that spread uncertain picks over the pool."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice
from probal.acquisition.clusters import cluster


def margin_cluster(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The smallest margin in each of B groups: uncertainty with diversity by construction.

    In the spirit of Cluster-Margin (Citovsky et al. 2021, arXiv 2107.14263), the whole pool grouped anew each
    round. The score is one minus the margin. Groups without candidates leave their turn to the others' next
    smallest margins.
    """
    groups = cluster(state, batch, generator)
    doubt = _doubt(state).numpy()[groups.rows]  # [m]
    ranked = []
    for g in range(groups.k):
        members = groups.free(g)
        ranked.append(members[np.argsort(-doubt[members], kind="stable")])
    choices: list[Choice] = []
    for depth in range(max(map(len, ranked))):
        turn = [(g, members[depth]) for g, members in enumerate(ranked) if depth < len(members)]
        turn.sort(key=lambda item: -doubt[item[1]])
        choices += [
            Choice(int(groups.rows[at]), float(doubt[at]), "uncertainty", g)
            for g, at in turn[: batch - len(choices)]
        ]
        if len(choices) == batch:
            break
    return choices


def top_margin(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B smallest margins, without diversity."""
    return _largest(state, _doubt(state), batch)


def top_entropy(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B largest predictive entropies, without diversity."""
    return _largest(state, state.uncertainty.total, batch)


def top_bald(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B largest mutual informations between label and posterior, without diversity."""
    return _largest(state, state.uncertainty.epistemic, batch)


def _doubt(state: AcquisitionState) -> Tensor:
    """One minus the margin of the predictive, [N]."""
    best = state.uncertainty.predictive.topk(2, dim=1).values  # [N,2]
    return 1 - (best[:, 0] - best[:, 1])


def _largest(state: AcquisitionState, scores: Tensor, batch: int) -> list[Choice]:
    picked = scores[state.candidates].topk(batch)
    rows = state.candidates[picked.indices].tolist()
    return [
        Choice(row, score, "uncertainty") for row, score in zip(rows, picked.values.tolist(), strict=True)
    ]
