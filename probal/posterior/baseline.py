"""What a posterior's leverages must beat: the same one for every image, with one fitted temperature.

Shapes use the glossary of `probal.types`. A leverage that only follows an image's distance to the mean of the pool
adds nothing to a temperature; comparing with these tells whether it does.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from probal.gaussian import GaussianEmbedding, GaussianLogits

SMALLEST, LARGEST = 1e-3, 1e2
"""Temperatures searched."""
_GRID = 25
_GOLDEN = (math.sqrt(5) - 1) / 2


def constant_leverage(images: GaussianEmbedding) -> GaussianEmbedding:
    """The images with their mean leverage in place of their own. Raises ValueError where they have none."""
    if images.leverage is None or not len(images):
        raise ValueError("the images carry no leverage to take the mean of")
    return replace(images, leverage=images.leverage.mean().expand(len(images)).clone())


def tempered(logits: GaussianLogits, temperature: float) -> GaussianLogits:
    """The distribution of `logits / temperature`."""
    return GaussianLogits(
        logits.mean / temperature,
        logits.var / temperature**2,
        logits.gain,
        None if logits.factor is None else logits.factor / temperature,
    )


def fit_temperature(logits: GaussianLogits, labels: Tensor) -> float:
    """The temperature at which the predictive of `tempered(logits, T)` is likeliest for labels [N].

    A grid over [0.001, 100], then golden section around its best point, in log T. With a variance the
    likelihood may have more than one maximum, hence the grid. Raises ValueError for labels that do not fit.
    """
    if labels.shape != (len(logits),) or not len(logits):
        raise ValueError(f"labels must be [N] = [{len(logits)}] and not empty, got {tuple(labels.shape)}")

    def loss(log_t: float) -> float:
        probs = tempered(logits, math.exp(log_t)).predictive()
        tiny = torch.finfo(probs.dtype).tiny
        return float(-probs.gather(1, labels[:, None]).clamp_min(tiny).double().log().mean())

    low, high = math.log(SMALLEST), math.log(LARGEST)
    step = (high - low) / (_GRID - 1)
    best = low + step * min(range(_GRID), key=lambda i: loss(low + step * i))
    low, high = max(low, best - step), min(high, best + step)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-3:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)
