"""How far the labels may move each class relative to the others: g_c, the prior's deviation in units of √κ.

Their geometric mean is one: how large the prior is as a whole stays with the amplitude, which the labels choose.
Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from probal.gaussian import GaussianEmbedding


def gains_of_variance(prior: GaussianEmbedding) -> Tensor:
    """g_c [C] float64 by the prior's variance: ones for exact prototypes.

    Of BayesVLM's text variance only the size per class is taken, λ_c ∝ 1 / mean_d var_cd. Raises ValueError where a
    class has no variance and another has.
    """
    if prior.is_exact:
        return torch.ones(len(prior), dtype=torch.float64)
    size = prior.variance().double().mean(1)  # [C]
    if not bool((size > 0).all()):
        raise ValueError("a prior with variance needs some for every class")
    return _relative(size)


def gains_of_zero_shot(zero_shot: Tensor, y: Tensor) -> Tensor:
    """g_c [C] by CLAP's λ_c, from zero-shot logits [n,C] and labels y [n]: κ_c ∝ 1/λ_c.

    A class whose labeled images the prototypes recognize stays near its own. Ones where all logits are alike, as
    without prototypes.
    """
    if not bool(zero_shot.any()):
        return torch.ones(zero_shot.shape[1], dtype=zero_shot.dtype)
    return _relative(1 / class_multipliers(zero_shot, y))


def class_multipliers(zero_shot: Tensor, y: Tensor) -> Tensor:
    """CLAP's λ_c [C] in (0, 1] (arXiv 2312.12730): mean zero-shot probability of the true class.

    From logits [n,C] and labels y [n]. A class without labels takes the mean of the others.
    """
    classes = zero_shot.shape[1]
    onehot = one_hot(y, classes).to(zero_shot.dtype)  # [n,C]
    count = onehot.sum(0)  # [C]
    if not len(y):
        return torch.ones(classes, dtype=zero_shot.dtype)
    found = (torch.softmax(zero_shot, 1) * onehot).sum(0) / count.clamp(min=1)
    found = torch.where(count > 0, found, found[count > 0].mean())
    return found.clamp(min=1e-3)  # a class that the prior gets wholly wrong is still held, if only just


def _relative(size: Tensor) -> Tensor:
    return (size / size.log().mean().exp()).sqrt()
