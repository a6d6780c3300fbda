"""Less amplitude for BayesAdapter where labels of some classes would do harm to images of all the others.

With a good prior and many classes, most images that are to be called belong to classes without a label, and every
label of another class pulls at them. Leave-one-out sees too little of that: with 300 labels of 1,000 classes it is
0.12 nats an image too hopeful at an amplitude of 169 (benchmarks/leave_one_out.py), and the model falls below the
prior alone. Labels predicted from *earlier* ones (`predict_later`) are like images to come: they have the last word.
A strategy picked them where labels matter most, which speaks for too large an amplitude; so the smallest is taken
that they do not tell from the best, by one standard error (Breiman et al. 1984, §3.4.3) while half of the classes or
more have no label, and by less of one, in proportion, after.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probal.adapters._sharpness import predict_later

_FEWEST = 64
"""Labels that must be predicted, as they count: fewer cannot tell a nat from chance."""
_STEP = 2.0
_MOST_STEPS = 14


def restrained(
    offset: Tensor, plain: Tensor, amplitude: float, y: Tensor, gains: Tensor, centre_labels: float | None
) -> float:
    """The amplitude, or a half, a quarter, … of it: the smallest that predicts later labels as well as the best.

    offset [n,C], not all zero; plain [n,n] = x̂x̂ᵀ before any centre is taken out; y [n] in the order in which the
    labels were given; gains [C]; centre_labels as in `choose_sharpness`. Labels of classes that had none before
    count as much as such classes are left, so where every class has a label nothing is restrained.
    """
    classes = offset.shape[1]
    unseen = 1 - len(y.unique()) / classes
    if unseen == 0 or len(y) <= _FEWEST:
        return amplitude
    asked: list[Tensor] = []
    chosen = amplitude
    for step in range(_MOST_STEPS + 1):
        found = predict_later(offset, amplitude / _STEP**step * plain, y, gains, centre_labels)
        if found is None:
            return amplitude
        new = int((~found.seen).sum())
        weight = torch.where(found.seen, 1.0, min(1.0, unseen * len(found.seen) / max(new, 1)))  # [m]
        if float(weight.sum()) < _FEWEST:
            return amplitude
        likelihood = torch.log_softmax(found.logits, 1).gather(1, found.labels.unsqueeze(1)).squeeze(1)
        asked.append(weight * likelihood)
        less = max(asked, key=lambda each: float(each.sum())) - asked[-1]  # [m] than the best so far
        if float(less.sum()) > min(1.0, 2 * unseen) * float(less.std()) * len(less) ** 0.5:
            break
        chosen = amplitude / _STEP**step
    return chosen
