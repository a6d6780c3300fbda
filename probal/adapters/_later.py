"""Labels predicted from those that came before them: what to ask where a strategy chose the labels.

Leave-one-out asks about the labels there are. Those that a strategy chose are hard, far from each other, and were
picked because the model doubted them: on them a model errs at a confidence at which it is right on all the other
images. A label predicted from *earlier* ones alone does not have that fault. It was picked for what was known of its
image, not for its answer (prequential validation; Dawid 1984, doi 10.2307/2981683).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from probal.adapters._softmax_gp import find_mode

_BLOCKS = 6
"""Labels are predicted in so many groups, each from all before it."""
_TRAIN = 0.25
"""The share of the labels that only train."""
_TRAIN_BARE = 2
"""So many labels per class only train where there is no prior: before, most classes are unknown to the model."""
_VARIED = 0.6
"""The least share of the classes that as many labels in random order would have."""
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Later:
    """Labels predicted from those before them."""

    logits: Tensor  # [m,C] float64
    labels: Tensor  # [m]
    seen: Tensor  # [m] bool: the label's class had one before

    def log_likelihood(self) -> Tensor:
        """log p(label | those before it) [m]."""
        return torch.log_softmax(self.logits, 1).gather(1, self.labels.unsqueeze(1)).squeeze(1)

    def weights(self, offset: Tensor, y: Tensor) -> Tensor:
        """How much each says of images to come, [m] in [0, 1]; offset [n,C] and y [n] as in `predict_later`.

        Labels of classes that had none before count together at most as much as the share of the C classes that
        have none at the end. Without a prototype of the class nobody could predict them, and they do not count.
        """
        unseen = 1 - len(y.unique()) / offset.shape[1]
        new = max(int((~self.seen).sum()), 1)
        weight = torch.where(self.seen, 1.0, min(1.0, unseen * len(self.seen) / new)).double()
        bare = (offset == 0).all(0)[self.labels]
        return torch.where(bare & ~self.seen, 0.0, weight)


def predict_later(
    offset: Tensor,
    gram: Tensor,
    y: Tensor,
    gains: Tensor,
    centre_labels: float | None,
    start: Tensor | None = None,
) -> Later | None:
    """What the modes of the first labels say of the next ones, group by group; None where nothing can be asked.

    offset [n,C] zero without a prior, gram [n,n] = κ x̂x̂ᵀ before any centre is taken out, y [n], all in the order in
    which the labels were given, gains [C]; `start` [n,C]: representer weights of the mode of all labels, where each
    search begins. `centre_labels` are the labels that the origin weighs as much as in the centre, None for no
    centre. A group of far fewer classes than chance would give it is left out: labels that come sorted by class say
    nothing about images to come.
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


def _centred(gram: Tensor, centre_labels: float | None) -> Tensor:
    """Kernel [m,a] of rows against the first a of them once those a's centre is taken out of all; gram [m,a]."""
    if centre_labels is None:
        return gram
    a = gram.shape[1]
    toward = gram.sum(1) / (a + centre_labels)  # [m] products with the centre
    square = toward[:a].sum() / (a + centre_labels)
    return gram - toward.unsqueeze(1) - toward[:a] + square
