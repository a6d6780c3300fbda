"""Uncertainty herding: label where the labels so far leave most doubt in their surroundings.

After Bae, Sutherland and Oliveira (2024, arXiv 2412.20644), whose one criterion serves few labels and many. A labeled
image s covers a pool image i by a kernel k(i, s); what is not covered counts by how much the model doubts it::

    gain(j) = Σ_i doubt_i · max(0, k(i, j) − max_s k(i, s))          doubt = 1 − margin

Before a model knows anything every doubt is the same and the gain is coverage; outliers cover nobody and are never
asked, however doubtful; and the images of one batch do not cover the same ground twice. The sum is submodular, so
greedy picks lose at most a factor of 1 − 1/e.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice

WINDOW = 6_000
"""Images that count and may be picked at a time, a uniform sample of larger pools: the kernel has their square."""
REACH = 0.5
"""Of the squared distance within which a label's share of the pool lies, one unit of the kernel."""
_ROWS_FOR_RADIUS = 400
_FLOOR = 1e-3
"""Least doubt: an image that the model is sure of still counts a little, so ties fall to coverage."""
_KNOWS_NOTHING = 0.9


def herding(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """B greedy picks by doubt not yet covered. The score is the share of the window's doubt that a pick covers.

    The kernel is exp(−d²/ρ), d the distance of unit rows once the mean of the window, m candidates, is taken out. ρ
    follows the labels: REACH times the median squared distance to the (m / (n + B))-th neighbour, so that n + B share
    the window; B is what will be labeled before the next fit where more is asked for. A batch that one window cannot
    hold is chosen from several, each covered by what the ones before it gave.
    """
    soon = batch if state.fitted_after is None else min(batch, state.fitted_after)
    windows = _windows(state.candidates, batch, generator)
    choices: list[Choice] = []
    for i, rows in enumerate(windows):
        given = torch.tensor([choice.row for choice in choices], dtype=torch.int64)
        covered, share = torch.cat([state.covered, given]), batch // len(windows) + (i < batch % len(windows))
        picks, decided = _of_window(state, rows, covered, len(state.covered) + soon, share, generator)
        choices += picks
        if i == 0:
            state.decided.update(decided)
    if len(windows) > 1:
        state.decided["looked_at"] = sum(map(len, windows))
        choices.sort(key=lambda choice: -choice.score)
    return choices


def _of_window(
    state: AcquisitionState,
    rows: Tensor,
    covered: Tensor,
    labels: int,
    batch: int,
    generator: torch.Generator,
) -> tuple[list[Choice], dict[str, float]]:
    """`batch` picks among rows [m] beside those covered, where `labels` share the pool; and what was decided."""
    centre = state.embeddings[rows].float().mean(0)
    points = _unit(state.embeddings[rows].float() - centre)  # [m,D]
    distance = (2 - 2 * points @ points.T).clamp_(min=0)  # [m,m]
    radius = _radius(distance, labels, generator)
    kernel = distance.div_(-radius).exp_()
    reached = torch.zeros(len(rows))
    if len(covered):
        parts = [_unit(state.embeddings[some].float() - centre) for some in covered.split(WINDOW)]
        nearest = torch.stack([(2 - 2 * points @ part.T).clamp_(min=0).amin(1) for part in parts])
        reached = nearest.amin(0).div_(-radius).exp_()
    best = state.uncertainty.predictive[rows].topk(2, dim=1).values.float()  # [m,2]
    doubt = (1 - (best[:, 0] - best[:, 1])).clamp(min=_FLOOR)
    phase = "coverage" if float(doubt.mean()) > _KNOWS_NOTHING else "uncertainty"
    picked = greedy(kernel, reached, doubt, batch)
    return [Choice(int(rows[at]), gain, phase) for at, gain in picked], _decided(radius, reached, doubt)


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


def _windows(candidates: Tensor, batch: int, generator: torch.Generator) -> list[Tensor]:
    """The rows that count: one window; for a batch larger than that, equal ones of which it takes about half."""
    if len(candidates) <= WINDOW:
        return [candidates]
    count = 1 if batch <= WINDOW else math.ceil(min(2 * batch, len(candidates)) / WINDOW)
    some = candidates[torch.randperm(len(candidates), generator=generator)[: count * WINDOW]]
    return [rows.sort().values for rows in some.tensor_split(count)]


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
