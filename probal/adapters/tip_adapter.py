"""Tip-Adapter: the labeled images as a cache of keys, added to the zero-shot logits.

Tip-Adapter (Zhang et al. 2022, arXiv 2111.03930, eq. 5)::

    logits = scale · x̂ᵀ t  +  α Σ_i exp(−β (1 − x̂ᵀ x̂_i)) onehot(y_i)

on rows of unit length, keys and queries alike (the code of CLAP leaves them as they come).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from probal.adapters._joint import draw_images
from probal.adapters.base import check_labels, check_unit
from probal.gaussian import GaussianEmbedding, GaussianLogits

ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
BETAS = (1.0, 3.0, 5.5, 10.0, 20.0)
_DEFAULT = (1.0, 5.5)
"""The paper's, for what leave-one-out cannot choose."""


@dataclass(frozen=True)
class TipPosterior:
    """The cache; its logits carry no variance."""

    weights: Tensor  # [C,D] prototypes times scale
    keys: Tensor  # [n,D]
    values: Tensor  # [n,C] one-hot
    alpha: float
    beta: float

    def logits(self, images: Tensor | GaussianEmbedding) -> GaussianLogits:
        """Mean [N,C] of unit rows [N,D]; of embeddings with a variance, the mean's direction.

        Raises ValueError for rows that are not of unit length: their affinities would mean nothing.
        """
        if isinstance(images, Tensor):
            rows = images
            check_unit(rows, "images")
        else:
            length = images.mean.norm(dim=1, keepdim=True)
            rows = images.mean / torch.where(length > 0, length, 1)  # an image at the centre stays there
        mean = self._mean(rows)
        return GaussianLogits(mean, torch.zeros_like(mean))

    def joint(self, images: Tensor | GaussianEmbedding, n_samples: int, generator: torch.Generator) -> Tensor:
        """Logits [N,K,C] of the images' own draws, nothing else being uncertain; see `AdapterPosterior.joint`.

        The cache is not linear, so the draws' mean is not quite that of `logits`, which takes no notice of variance.
        """
        return self._mean(draw_images(images, n_samples, generator)).expand(-1, n_samples, -1)

    def _mean(self, rows: Tensor) -> Tensor:
        """[…,C] of rows […,D]."""
        x = rows.to(self.weights.dtype)
        return x @ self.weights.T + self.alpha * _affinity(x @ self.keys.T, self.beta) @ self.values

    def tensors(self) -> Mapping[str, Tensor]:
        settings = torch.tensor([self.alpha, self.beta], dtype=torch.float64)
        return {"weights": self.weights, "keys": self.keys, "values": self.values, "settings": settings}

    def hyperparameters(self) -> Mapping[str, float]:
        return {"alpha": self.alpha, "beta": self.beta}


@dataclass(frozen=True)
class TipAdapter:
    """Training-free Tip-Adapter; α and β by exact leave-one-out likelihood, never by test labels."""

    scale: float

    def fit(
        self, x: Tensor, y: Tensor, prior: GaussianEmbedding, start: Mapping[str, Tensor] | None = None
    ) -> TipPosterior:
        """See `Adapter.fit`."""
        check_labels(x, y, prior)
        weights = self.scale * prior.mean.to(x.dtype)
        values = one_hot(y, len(prior)).to(x.dtype)
        alpha, beta = _choose(x @ weights.T, x @ x.T, values, y) if len(y) > 1 else _DEFAULT
        return TipPosterior(weights, x, values, alpha, beta)


def _affinity(cosine: Tensor, beta: float) -> Tensor:
    return torch.exp(-beta * (1 - cosine))


def _choose(zero_shot: Tensor, cosine: Tensor, values: Tensor, y: Tensor) -> tuple[float, float]:
    """α, β with the largest likelihood of each label given the cache without it; smaller ones on a tie."""
    others = 1 - torch.eye(len(y), dtype=cosine.dtype)

    def score(alpha: float, beta: float) -> float:
        logits = zero_shot + alpha * (_affinity(cosine, beta) * others) @ values
        return float(torch.log_softmax(logits, 1).gather(1, y.unsqueeze(1)).sum())

    return max(product(ALPHAS, BETAS), key=lambda pair: score(*pair))
