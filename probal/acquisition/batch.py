"""Strategies that spread uncertain picks over the pool."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice
from probal.acquisition.clusters import cluster, typicality
from probal.acquisition.doubts import doubt
from probal.errors import UserError

_MAX_GROUPS = 500


def margin_cluster(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The smallest margin in each of B groups: uncertainty with diversity by construction.

    In the spirit of Cluster-Margin (Citovsky et al. 2021, arXiv 2107.14263), the whole pool grouped anew each
    round. The score is one minus the margin. Groups without candidates leave their turn to the others' next
    smallest margins.
    """
    groups = cluster(state, batch, generator)
    doubts = doubt(state).numpy()[groups.rows]  # [m]
    ranked = []
    for g in range(groups.k):
        members = groups.free(g)
        ranked.append(members[np.argsort(-doubts[members], kind="stable")])
    order = sorted(range(groups.k), key=lambda g: -max(doubts[ranked[g]], default=0.0))
    return _in_turns([(g, ranked[g]) for g in order], groups.rows, doubts, batch)


def margin_density(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """Typical and uncertain images of the groups with the most uncertainty left.

    The pool falls into n + B groups. A group is worth the sum of its candidates' doubts (one minus the margin)
    over one plus its labels, so dense regions the model does not know come first; within it the pick maximizes
    doubt times typicality rank, which passes over outliers (information density, Settles and Craven 2008).
    """
    limit = min(_MAX_GROUPS, max(batch, len(state.embeddings) // 4))
    groups = cluster(state, min(len(state.covered) + batch, limit), generator)
    doubts = doubt(state).numpy()[groups.rows]  # [m]
    free = [groups.free(g) for g in range(groups.k)]
    worth = np.array([doubts[members].sum() for members in free]) / (1 + groups.coverage())
    ranked: list[np.ndarray] = []
    scores = np.zeros_like(doubts)
    for members in free:
        if len(members):
            rank = np.argsort(np.argsort(typicality(groups.points[members]))) / max(len(members) - 1, 1)
            scores[members] = doubts[members] * (0.5 + 0.5 * rank)
        ranked.append(members[np.argsort(-scores[members], kind="stable")])
    order = np.argsort(-worth, kind="stable")
    return _in_turns([(int(g), ranked[g]) for g in order], groups.rows, scores, batch)


def top_margin(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B smallest margins, without diversity."""
    return _largest(state, doubt(state), batch)


def top_entropy(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B largest predictive entropies, without diversity."""
    return _largest(state, state.uncertainty.total, batch)


def top_expected_entropy(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B largest expected entropies, without diversity: what would stay uncertain if the model were known."""
    return _largest(state, state.uncertainty.aleatoric, batch)


def top_confidence(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B images whose likeliest class is the least likely, without diversity."""
    return _largest(state, 1 - state.uncertainty.predictive.amax(1), batch)


def top_bald(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B largest mutual informations between label and posterior, without diversity.

    Read off the pass over the pool that a round makes anyway for its predictions and reasons, so it costs nothing
    more there; `bald_controlled` is for BALD alone, several times faster than that pass.
    """
    return _largest(state, state.uncertainty.epistemic, batch)


def top_probvlm(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B images of which ProbVLM knows the least that a label could teach, without diversity.

    `½ Σ_d log(1 + epistemic_d / aleatoric_d)`, `probal.probvlm.acquisition_score`: it passes over images that are
    ambiguous in themselves. Raises UserError where no ProbVLM is trained.
    """
    if state.probvlm_score is None:
        raise UserError(
            "the strategy 'probvlm' needs a trained ProbVLM: run probal probvlm train NAME first, "
            "or choose another strategy"
        )
    return _largest(state, state.probvlm_score, batch)


def _in_turns(
    ranked: list[tuple[int, np.ndarray]], rows: np.ndarray, scores: np.ndarray, batch: int
) -> list[Choice]:
    """The best of each group in order, then each one's second, until the batch is full."""
    choices: list[Choice] = []
    for depth in range(max(len(members) for _, members in ranked)):
        for group, members in ranked:
            if depth < len(members):
                at = members[depth]
                choices.append(Choice(int(rows[at]), float(scores[at]), "uncertainty", group))
                if len(choices) == batch:
                    return choices
    return choices


def _largest(state: AcquisitionState, scores: Tensor, batch: int) -> list[Choice]:
    picked = scores[state.candidates].topk(batch)
    rows = state.candidates[picked.indices].tolist()
    return [
        Choice(row, score, "uncertainty") for row, score in zip(rows, picked.values.tolist(), strict=True)
    ]
