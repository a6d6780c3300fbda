"""How sharp BayesAdapter's probabilities should be: each label predicted from those that came before it.

Leave-one-out asks about the labels there are. Those that a strategy chose are hard, far from each other, and were
picked because the model doubted them: on them a model errs at a confidence at which it is right on all the other
images, so leave-one-out makes it too timid. A label predicted from *earlier* ones alone does not have that fault. It
was picked for what was known of its image, not for its answer (prequential validation; Dawid 1984, doi
10.2307/2981683). With f the logits at the mode of the earlier labels::

    s = argmax  Σ_i log softmax(s f_i)[y_i]  −  ½ (log s / _SPREAD)²

The logits of the final model are multiplied by s, means and deviations, which leaves every image its likeliest class.
Chosen on the sets of docs/benchmarks.md (Calibration) and measured there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from probal.adapters._softmax_gp import find_mode

_SPREAD = 0.2
"""Standard deviation of log s before any label."""
_BOUND = 1.0
"""Of |log s|."""
_BLOCKS = 6
"""Labels are predicted in so many groups, each from all before it."""
_TRAIN = 0.25
"""The share of the labels that only train."""
_TRAIN_BARE = 2
"""So many labels per class only train where there is no prior: before, most classes are unknown to the model."""
_VARIED = 0.6
"""The least share of the classes that as many labels in random order would have."""
_TOLERANCE = 0.01


def choose_sharpness(
    offset: Tensor,
    gram: Tensor,
    y: Tensor,
    gains: Tensor,
    centre_labels: float | None,
    start: Tensor | None = None,
) -> float:
    """s > 0; 1 where nothing can be asked.

    offset [n,C] zero without a prior, gram [n,n] = κ x̂x̂ᵀ before any centre is taken out, y [n], all in the order in
    which the labels were given, gains [C]; `start` [n,C]: representer weights of the mode of all labels, where each
    search begins. `centre_labels` are the labels that the origin weighs as much as in the centre, None for no
    centre. A group of far fewer classes than chance would give it is left out: labels that come sorted by class say
    nothing about images to come.
    """
    found = predict_later(offset, gram, y, gains, centre_labels, start)
    return 1.0 if found is None else _sharpest(found.logits, found.labels)


@dataclass(frozen=True)
class Later:
    """Labels predicted from those before them."""

    logits: Tensor  # [m,C] float64
    labels: Tensor  # [m]
    seen: Tensor  # [m] bool: the label's class had one before


def predict_later(
    offset: Tensor,
    gram: Tensor,
    y: Tensor,
    gains: Tensor,
    centre_labels: float | None,
    start: Tensor | None = None,
) -> Later | None:
    """What the modes of the first labels say of the next ones, group by group; None where nothing can be asked.

    Arguments as in `choose_sharpness`.
    """
    n, classes = offset.shape
    first = max(round(_TRAIN * n), 1 if bool(offset.any()) else _TRAIN_BARE * classes)
    if first >= n:
        return None
    cuts = sorted({first + round((n - first) * k / _BLOCKS) for k in range(_BLOCKS + 1)})
    count = torch.bincount(y, minlength=classes)
    begin = torch.zeros_like(offset) if start is None else start
    logits, labels, seen = [], [], []
    for at, end in pairwise(cuts):
        if len(y[at:end].unique()) < _VARIED * float((1 - (1 - (end - at) / n) ** count).sum()):
            continue
        kernel = _centred(gram[:end, :at], centre_labels)
        mode = find_mode(offset[:at], kernel[:at], y[:at], begin[:at], _TOLERANCE, gains)
        logits.append(offset[at:end] + (kernel[at:] @ mode.representer) * gains.square())
        labels.append(y[at:end])
        seen.append(torch.isin(y[at:end], y[:at]))
    return Later(torch.cat(logits).double(), torch.cat(labels), torch.cat(seen)) if logits else None


def _sharpest(logits: Tensor, y: Tensor) -> float:
    """s with the largest penalized likelihood of y [m] under logits [m,C]; concave in s."""
    own = float(logits.gather(1, y.unsqueeze(1)).sum())

    def loss(log_s: float) -> float:
        s = math.exp(log_s)
        return float((s * logits).logsumexp(1).sum()) - s * own + 0.5 * (log_s / _SPREAD) ** 2

    return math.exp(float(minimize_scalar(loss, bounds=(-_BOUND, _BOUND), method="bounded").x))


def _centred(gram: Tensor, centre_labels: float | None) -> Tensor:
    """Kernel [m,a] of rows against the first a of them once those a's centre is taken out of all; gram [m,a]."""
    if centre_labels is None:
        return gram
    a = gram.shape[1]
    toward = gram.sum(1) / (a + centre_labels)  # [m] products with the centre
    square = toward[:a].sum() / (a + centre_labels)
    return gram - toward.unsqueeze(1) - toward[:a] + square
