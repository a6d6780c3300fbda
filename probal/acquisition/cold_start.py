"""Strategies that need no useful prediction: uniform random sampling and TypiClust."""

from __future__ import annotations

import numpy as np
import torch

from probal.acquisition.base import AcquisitionState, Choice
from probal.acquisition.clusters import cluster, typicality

_MAX_CLUSTERS = 500


def random(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """Uniform without replacement: the yardstick of every other strategy."""
    order = torch.randperm(len(state.candidates), generator=generator)[:batch]
    return [Choice(int(row), 0.0, "random") for row in state.candidates[order]]


def typiclust(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The most typical image of each of the largest groups that hold no label yet.

    TypiClust (Hacohen et al. 2022, arXiv 2202.02794): n + B groups, least covered first, larger first. Where
    groups have no candidate left the round goes through them again.
    """
    groups = cluster(state, min(len(state.covered) + batch, _MAX_CLUSTERS), generator)
    order = np.lexsort((-groups.sizes(), groups.coverage()))
    ranked = {g: _by_typicality(groups.points, groups.free(g)) for g in order}
    choices: list[Choice] = []
    for depth in range(max(len(members) for members, _ in ranked.values())):
        for g in order:
            members, scores = ranked[g]
            if depth < len(members):
                row = int(groups.rows[members[depth]])
                choices.append(Choice(row, float(scores[depth]), "coverage", int(g)))
                if len(choices) == batch:
                    return choices
    return choices


def _by_typicality(points: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(members) == 0:
        return members, np.zeros(0)
    scores = typicality(points[members])
    order = np.argsort(-scores, kind="stable")
    return members[order], scores[order]
