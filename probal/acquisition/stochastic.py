"""Stochastic batches: top B of perturbed scores, so that a batch does not hold B images of one kind.

    power    β log s_i + ε_i          softmax    β s_i + ε_i          ε_i ~ Gumbel(0, 1)

The B largest are a draw without replacement with probabilities ∝ s_i^β, or e^{β s_i} (Kirsch et al. 2023, arXiv
2106.12059, eq. 4 and 5; Gumbel top-k: Kool et al. 2019, arXiv 1903.06059). The power form draws no image whose
score is zero while others are left, and does not depend on the unit of the score.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice, Strategy
from probal.acquisition.doubts import DOUBTS

_SMALLEST = 1e-30


def gumbel_top_k(log_weight: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Positions [k] drawn without replacement with probabilities ∝ e^log_weight, in the order of the draws."""
    uniform = torch.rand(log_weight.shape, dtype=torch.float64, generator=generator)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-300, 1 - 1e-16)))
    return (log_weight.double() + gumbel).topk(k).indices


def power_weights(scores: Tensor, beta: float = 1.0) -> Tensor:
    """β log s for scores s ≥ 0, [N]; zeros count as 1e-30, so among zeros alone the draw is uniform."""
    return beta * scores.double().clamp(min=_SMALLEST).log()


def softmax_weights(scores: Tensor, beta: float = 1.0) -> Tensor:
    """β s, [N]."""
    return beta * scores.double()


_WEIGHTS = {"power": power_weights, "softmax": softmax_weights}


def stochastic(form: str, score: str) -> Strategy:
    """The strategy that draws a batch by `form` ("power" or "softmax") of "margin", "entropy" or "bald"."""
    weights_of, score_of = _WEIGHTS[form], DOUBTS[score]

    def strategy(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
        scores = score_of(state)[state.candidates]
        picked = gumbel_top_k(weights_of(scores), batch, generator)
        rows = state.candidates[picked].tolist()
        chosen = scores[picked].tolist()
        return [Choice(row, each, "uncertainty") for row, each in zip(rows, chosen, strict=True)]

    return strategy


power_margin = stochastic("power", "margin")
power_entropy = stochastic("power", "entropy")
power_bald = stochastic("power", "bald")
softmax_bald = stochastic("softmax", "bald")
