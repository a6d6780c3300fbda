"""Which encoder suits an unlabeled pool: the one whose uncertainty leaves its answers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.errors import UserError
from probal.probvlm.model import ProbVLM
from probal.probvlm.uses import retrieval_spread

_SAME = 1e-10
"""Variance over the mean square of an embedding below which rounding explains it: rows of a batch differ by that."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """An encoder's ProbVLM with what it makes of the pool, images [N,D], and of the classes' prompts, texts [C,D]."""

    model: ProbVLM
    images: Tensor
    texts: Tensor


@dataclass(frozen=True)
class RankedEncoder:
    encoder: str
    spread: float
    """Share of samples of the images' distributions whose nearest class is another than the mean's; 0 to 1."""
    error: float
    """Standard error of `spread` over images."""
    noise_to_signal: float
    """Mean over images of their total variance, over the total variance of the means between images."""


def rank_encoders(candidates: Mapping[str, Candidate], seed: int) -> tuple[RankedEncoder, ...]:
    """Encoders by how seldom their uncertainty about an image of the pool changes its nearest class; best first.

    arXiv 2307.00398 compares mean variances, which depend on the unit, the width and the modality gap of an
    embedding. Over the variance between images they do not, but say little of whether classes are told apart, which
    is what an encoder is for: the share of samples that change sides follows accuracy better (docs/probvlm.md). No
    label of the pool is needed. UserError for no candidate, pools or classes of different numbers, fewer than 2
    images or classes, or means that are all the same.
    """
    if not candidates:
        raise UserError("there is no encoder to rank: give at least one")
    sizes = {name: len(each.images) for name, each in candidates.items()}
    if len(set(sizes.values())) > 1 or min(sizes.values()) < 2:
        raise UserError(f"encoders are ranked on one pool of at least 2 images, got {sizes}")
    classes = {name: len(each.texts) for name, each in candidates.items()}
    if len(set(classes.values())) > 1 or min(classes.values()) < 2:
        raise UserError(f"encoders are ranked on the same classes, at least 2, got {classes}")
    found = []
    for name, each in candidates.items():
        generator = torch.Generator().manual_seed(seed)
        spread = retrieval_spread(each.model, each.images, each.texts, generator).double()
        embedding = each.model.embed_images(each.images, generator)
        mean = embedding.mean.double()
        signal = float(mean.var(0).sum())
        if signal <= _SAME * float(mean.square().sum(1).mean()):
            raise UserError(f"encoder {name} gives every image of the pool the same embedding")
        noise = float((embedding.aleatoric + embedding.epistemic).double().sum(1).mean())
        error = float(spread.std()) / len(spread) ** 0.5
        found.append(RankedEncoder(name, float(spread.mean()), error, noise / signal))
    return tuple(sorted(found, key=lambda ranked: (ranked.spread, ranked.encoder)))
