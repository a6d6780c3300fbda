"""Point estimates of class weights: what an adapter is without a posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from probal.adapters._joint import draw_images
from probal.adapters.base import over_moment
from probal.gaussian import GaussianEmbedding, GaussianLogits, shared_factor


@dataclass(frozen=True)
class PointPosterior:
    """Logits ``weights x̂`` of weights [C,D] that are taken as known."""

    weights: Tensor
    settings: Mapping[str, float] = field(default_factory=dict)

    def logits(self, images: Tensor | GaussianEmbedding) -> GaussianLogits:
        """Mean [N,C] of unit rows [N,D] without variance, or with that of the embeddings alone."""
        if isinstance(images, GaussianEmbedding):
            rows, ex = over_moment(images)
            mean = rows.to(self.weights.dtype) @ self.weights.T
            if images.is_exact:
                return GaussianLogits(mean, torch.zeros_like(mean))
            if images.leverage is None or images.shared is None:
                own = images.variance_along(self.weights.square()) / ex.unsqueeze(1)
                return GaussianLogits(mean, own)
            factor = shared_factor(self.weights, images.shared)
            return GaussianLogits(mean, torch.zeros_like(mean), images.leverage / ex, factor)
        mean = images.to(self.weights.dtype) @ self.weights.T
        return GaussianLogits(mean, torch.zeros_like(mean))

    def joint(self, images: Tensor | GaussianEmbedding, n_samples: int, generator: torch.Generator) -> Tensor:
        """Logits [N,K,C] of the images' own draws, nothing else being uncertain; see `AdapterPosterior.joint`."""
        rows = draw_images(images, n_samples, generator).to(self.weights.dtype)  # [N,1 or K,D]
        return (rows @ self.weights.T).expand(-1, n_samples, -1)

    def tensors(self) -> Mapping[str, Tensor]:
        return {"weights": self.weights}

    def hyperparameters(self) -> Mapping[str, float]:
        return dict(self.settings)
