"""Labels left out one at a time, at the mode: nothing is held out, nothing refitted.

Leave-one-out at the mode (Rasmussen and Williams, 2006, §5.4.2 carried to Laplace): removing image i moves its
logits by one cavity step. With s_ic the posterior variance of its logit, w = π(1−π) its curvature and g = y−π::

    cavity variance  s / (1 − s w)          cavity mean  f − s g / (1 − s w)

The classes' coupling is dropped here; against refitting n times the log likelihood differs by at most 0.02 nats an
image at κ = 16, by up to 0.3 with 1,000 classes and large κ (docs/bayesadapter.md, Leave-one-out).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from probal.adapters._dual import active_images
from probal.adapters._softmax_gp import Mode

_SET = 64
"""Images per class that explain each other."""


def question_weights(zero_shot: Tensor, y: Tensor) -> Tensor:
    """How much each label counts when it is left out and predicted from the others, [n] in [0, 1].

    The only label of a class, left out, is an image of a class without labels, and tells how such images fare. So
    together these count for as many images as one would expect of the classes that still have none, n (1 − S/C) with
    S of C classes seen, or for as many as the other labels if those are more. Else one label for each of 1,000
    classes would say no more than that 999 other labels do harm, and nothing would be learned from them. The rest of
    their weight asks the prototypes alone, which is about the scale. Where a class has no prototype, its column of
    zero_shot [n,C] all zero, nobody could predict its only label. y [n].
    """
    n, classes = zero_shot.shape
    count = torch.bincount(y, minlength=classes)
    only = count[y] == 1  # [n]
    singles = int(only.sum())
    expected = max(n * float((count == 0).float().mean()), n - singles)
    weight = torch.where(only, min(1.0, expected / max(singles, 1)), 1.0)
    bare = (zero_shot == 0).all(0)[y]  # of classes without a prototype
    return torch.where(only & bare, 0.0, weight)


def leave_one_out(gram: Tensor, y: Tensor, mode: Mode, gains: Tensor) -> Tensor:
    """log p(y_i | the others) [n] at the cavity means; gram K [n,n] amplitude included, y [n], gains [C].

    Per class only the max(64, 4n/C) images with the largest residual |y − π| explain each other and are moved:
    the others are settled, without them nothing changes. On those images of up to 64 labels it is exact.
    """
    n, classes = mode.probs.shape
    size = min(n, max(_SET, 4 * n // classes))
    residual = (one_hot(y, classes) - mode.probs).T  # [C,n]
    rows = residual.abs().topk(size, dim=1).indices  # [C,a]
    weight = (mode.probs * (1 - mode.probs)).T.gather(1, rows)  # [C,a]
    kernel = gains.square()[:, None, None] * gram[rows.unsqueeze(2), rows.unsqueeze(1)]  # [C,a,a]
    seen = kernel * weight.sqrt().unsqueeze(1)
    inner = seen * weight.sqrt().unsqueeze(2)
    inner.diagonal(dim1=1, dim2=2).add_(1)
    variance = kernel.diagonal(dim1=1, dim2=2) - _explained(inner, seen)  # [C,a]
    step = _without(variance, weight) * residual.gather(1, rows)
    mean = mode.logits - torch.zeros_like(residual).scatter(1, rows, step).T
    return log_likelihood(mean, y)


def cavity(gram: Tensor, y: Tensor, mode: Mode, gains: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance [n,C] of every image's logits once its own label is taken away; see `leave_one_out`."""
    slope = mode.probs * (1 - mode.probs)  # [n,C]
    informs = active_images(slope, 0.95)
    variance = _variances(gram, slope, gains, informs)
    without = _without(variance, slope * informs)  # an image that was left out is out already
    residual = one_hot(y, mode.probs.shape[1]) - mode.probs
    return mode.logits - without * residual, without


def _without(variance: Tensor, weight: Tensor) -> Tensor:
    # the posterior variance is below 1/weight in exact arithmetic; the clamp is for rounding alone
    return variance / (1 - variance * weight).clamp(min=1e-6)


def _variances(gram: Tensor, weights: Tensor, gains: Tensor, informs: Tensor) -> Tensor:
    """Diagonals of ``(K_c⁻¹ + diag(w_c))⁻¹`` for each class, gram K [n,n], weights [n,C], K_c = g_c² K -> [n,C].

    Weights are taken where informs [n,C], and as zero elsewhere.
    """
    columns = []
    for c, gain in enumerate(gains.tolist()):
        rows = informs[:, c].nonzero().squeeze(1)
        root = gain * weights[rows, c].sqrt()
        seen = gram[:, rows] * root  # [n,a]
        inner = root.unsqueeze(1) * seen[rows]
        inner.diagonal().add_(1)
        columns.append(gain**2 * (gram.diagonal() - _explained(inner, seen)))
    return torch.stack(columns, 1)


def _explained(inner: Tensor, seen: Tensor) -> Tensor:
    """Diagonal of ``seen inner⁻¹ seenᵀ`` [...,m]; inner [...,a,a], seen [...,m,a]."""
    # solved from the right: a third of the time that torch takes from the left
    upper = torch.linalg.cholesky(inner).mT
    return torch.linalg.solve_triangular(upper, seen, upper=True, left=False).square().sum(-1)


def log_likelihood(logits: Tensor, y: Tensor) -> Tensor:
    return torch.log_softmax(logits, dim=1).gather(1, y.unsqueeze(1)).squeeze(1)
