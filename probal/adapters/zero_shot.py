"""No adaptation: the prototypes as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.adapters.base import check_labels
from probal.gaussian import GaussianEmbedding, GaussianLogits, cosine_logits


@dataclass(frozen=True)
class ZeroShotPosterior:
    """Logits ``weights x`` without variance, weights [C,D]."""

    weights: Tensor
    scale: float

    def logits(self, images: Tensor | GaussianEmbedding) -> GaussianLogits:
        if isinstance(images, GaussianEmbedding):
            return cosine_logits(images, GaussianEmbedding(self.weights / self.scale), self.scale)
        mean = images.to(self.weights.dtype) @ self.weights.T
        return GaussianLogits(mean, torch.zeros_like(mean))

    def tensors(self) -> Mapping[str, Tensor]:
        return {"weights": self.weights}

    def hyperparameters(self) -> Mapping[str, float]:
        return {"scale": self.scale}


@dataclass(frozen=True)
class ZeroShot:
    """The encoder's own classifier: ``scale · x̂ᵀ t_c``; labels are checked and not used."""

    scale: float

    def fit(self, x: Tensor, y: Tensor, prior: GaussianEmbedding) -> ZeroShotPosterior:
        check_labels(x, y, prior)
        return ZeroShotPosterior(self.scale * prior.mean.to(x.dtype), self.scale)
