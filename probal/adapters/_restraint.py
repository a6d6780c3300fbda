"""Less amplitude for BayesAdapter where labels of some classes would do harm to images of all the others.

With a good prior and many classes, most images that are to be called belong to classes without a label, and every
label of another class pulls at them. Leave-one-out sees too little of that: with 300 labels of 1,000 classes it is
0.12 nats an image too hopeful at an amplitude of 169 (benchmarks/leave_one_out.py), and the model falls below the
prior alone. Labels predicted from *earlier* ones (`predict_later`) are like images to come: they have the last word.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probal.adapters._sharpness import predict_later

_FEWEST = 64
"""Labels that must be predicted: fewer cannot tell a nat from chance."""
_STEP = 4.0
_WORTH = 1.0
"""Nats that a step down must bring."""
_MOST_STEPS = 8


def restrained(
    offset: Tensor, plain: Tensor, amplitude: float, y: Tensor, gains: Tensor, centre_labels: float | None
) -> float:
    """The amplitude, or a quarter, a sixteenth, … of it while that predicts later labels better.

    offset [n,C], not all zero; plain [n,n] = x̂x̂ᵀ before any centre is taken out; y [n] in the order in which the
    labels were given; gains [C]; centre_labels as in `choose_sharpness`. Labels of classes that had none before
    count as much as such classes are left, so where every class has a label nothing is restrained.
    """
    classes = offset.shape[1]
    unseen = 1 - len(y.unique()) / classes
    if unseen == 0 or len(y) <= _FEWEST:
        return amplitude

    def score(at: float) -> float | None:
        found = predict_later(offset, at * plain, y, gains, centre_labels)
        if found is None or len(found.labels) < _FEWEST:
            return None
        likelihood = torch.log_softmax(found.logits, 1).gather(1, found.labels.unsqueeze(1)).squeeze(1)
        new = ~found.seen
        weight = min(1.0, unseen * len(new) / max(int(new.sum()), 1))
        return float(likelihood[found.seen].sum() + weight * likelihood[new].sum())

    best = score(amplitude)
    for _ in range(_MOST_STEPS if best is not None else 0):
        value = score(amplitude / _STEP)
        if value is None or best is None or value < best + _WORTH:
            break
        amplitude, best = amplitude / _STEP, value
    return amplitude
