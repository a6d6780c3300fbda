"""Labels predicted from those that came before them: what to ask where a strategy chose the labels.

Leave-one-out asks about the labels there are. Those that a strategy chose are hard, far from each other, and were
picked because the model doubted them: on them a model errs at a confidence at which it is right on all the other
images. A label predicted from *earlier* ones alone does not have that fault. It was picked for what was known of its
image, not for its answer (prequential validation; Dawid 1984, doi 10.2307/2981683).
"""

from __future__ import annotations

import math
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
_TOLERANCE = 0.001


@dataclass(frozen=True)
class Later:
    """Labels predicted from those before them."""

    logits: Tensor  # [m,C] float64
    labels: Tensor  # [m]
    weights: Tensor  # [m] float64 in [0, 1]: how much each says of images to come, see `weigh`

    def log_likelihood(self) -> Tensor:
        """log p(label | those before it) [m]."""
        return torch.log_softmax(self.logits, 1).gather(1, self.labels.unsqueeze(1)).squeeze(1)


class LaterLabels:
    """What models of the first labels say of the next ones, group by group, at any amplitude.

    offset [n,C], zero without a prior; plain [n,n] = x̂x̂ᵀ before any centre is taken out; y [n]; all in the order in
    which the labels were given; gains [C]. `centre_labels` are the labels that the origin weighs as much as in the
    centre, None for no centre. A group of far fewer classes than chance would give it is left out: labels that come
    sorted by class say nothing about images to come. `shift` [n,C]: representer weights of a mode of all labels times
    its amplitude, near which the first searches begin.
    """

    def __init__(
        self,
        offset: Tensor,
        plain: Tensor,
        y: Tensor,
        gains: Tensor,
        centre_labels: float | None,
        shift: Tensor | None = None,
    ) -> None:
        self.offset, self.plain, self.y, self.gains = offset, plain, y, gains
        self._centre_labels = centre_labels
        self._groups = _groups(offset, y)
        # without a prior the groups' modes are farther from that of all labels than from nothing
        begin = torch.zeros_like(offset) if shift is None or not bool(offset.any()) else shift
        self._first = [begin[:at] for at, _ in self._groups]
        self._seen: list[tuple[float, list[Tensor]]] = []
        """Amplitudes asked for, and representer weights times the amplitude [a,C] of each group's mode there: the
        labels' part of the logits changes little with the amplitude."""

    def at(self, amplitude: float) -> Later | None:
        """The labels predicted; None where nothing can be asked."""
        logits: list[Tensor] = []
        shifts: list[Tensor] = []
        for (at, end), begin in zip(self._groups, self._guess(amplitude), strict=True):
            kernel = _centred(amplitude * self.plain[:end, :at], self._centre_labels)
            start = begin / amplitude
            mode = find_mode(self.offset[:at], kernel[:at], self.y[:at], start, _TOLERANCE, self.gains)
            logits.append(self.offset[at:end] + (kernel[at:] @ mode.representer) * self.gains.square())
            shifts.append(amplitude * mode.representer)
        if not logits:
            return None
        self._seen.append((amplitude, shifts))
        labels = torch.cat([self.y[at:end] for at, end in self._groups])
        seen = torch.cat([torch.isin(self.y[at:end], self.y[:at]) for at, end in self._groups])
        return Later(torch.cat(logits).double(), labels, weigh(labels, seen, self.offset, self.y))

    def _guess(self, amplitude: float) -> list[Tensor]:
        """Where to look for the modes: on the line, in log amplitude, through those of the two nearest."""
        if not self._seen:
            return self._first
        near = sorted(self._seen, key=lambda seen: abs(math.log(amplitude / seen[0])))[:2]
        if len(near) == 1 or near[0][0] == near[1][0]:
            return near[0][1]
        (one, here), (other, there) = near
        toward = math.log(amplitude / one) / math.log(other / one)
        return [torch.lerp(a, b, toward) for a, b in zip(here, there, strict=True)]


def weigh(labels: Tensor, seen: Tensor, offset: Tensor, y: Tensor) -> Tensor:
    """How much predicted labels [m] say of images to come, [m] float64 in [0, 1]; seen [m]: of a class known before.

    Labels of classes that had none before count together at most as much as the share of the C classes that have none
    at the end, y [n]. Without a prototype of the class, its column of offset [n,C] zero, nobody could predict them,
    and they do not count.
    """
    unseen = 1 - len(y.unique()) / offset.shape[1]
    new = max(int((~seen).sum()), 1)
    weight = torch.where(seen, 1.0, min(1.0, unseen * len(seen) / new)).double()
    bare = (offset == 0).all(0)[labels]
    return torch.where(bare & ~seen, 0.0, weight)


def _groups(offset: Tensor, y: Tensor) -> list[tuple[int, int]]:
    """Of each group that is asked, how many labels come before it, and before its end."""
    n, classes = offset.shape
    first = max(round(_TRAIN * n), 1 if bool(offset.any()) else _TRAIN_BARE * classes)
    if first >= n:
        return []
    cuts = sorted({first + round((n - first) * k / _BLOCKS) for k in range(_BLOCKS + 1)})
    count = torch.bincount(y, minlength=classes)

    def varied(at: int, end: int) -> bool:
        return len(y[at:end].unique()) >= _VARIED * float((1 - (1 - (end - at) / n) ** count).sum())

    return [(at, end) for at, end in pairwise(cuts) if varied(at, end)]


def _centred(gram: Tensor, centre_labels: float | None) -> Tensor:
    """Kernel [m,a] of rows against the first a of them once those a's centre is taken out of all; gram [m,a]."""
    if centre_labels is None:
        return gram
    a = gram.shape[1]
    toward = gram.sum(1) / (a + centre_labels)  # [m] products with the centre
    square = toward[:a].sum() / (a + centre_labels)
    return gram - toward.unsqueeze(1) - toward[:a] + square
