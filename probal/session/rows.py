"""Images with the noise of their tower: Gaussian embeddings, and joint draws of their logits.

Shapes use the glossary of `probal.types`. A draw has one W of the image tower and one set of class weights for all
images of the pool and of the target (arXiv 2412.06014), without which no image could tell anything about another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.acquisition.joint import JointSampler
from probal.adapters import AdapterPosterior
from probal.gaussian import GaussianEmbedding
from probal.posterior import TowerPosterior

_CHUNK = 8192
_BLOCK_ELEMENTS = 1 << 26
"""Entries of the embeddings drawn at once: 256 MiB of float32."""
_NO_DIRECTION = 1e-20
"""Leverage of a row that has none and no length either: its direction is then all noise, not 0/0."""


@dataclass(frozen=True, eq=False)
class NoisyRows:
    """Embeddings with what they were made from; `gaussian` is theirs under one tower posterior."""

    gaussian: GaussianEmbedding  # N rows, D wide
    activations: Tensor  # [N,P]

    @classmethod
    def of(cls, tower: TowerPosterior, embeddings: Tensor, activations: Tensor) -> NoisyRows:
        """Rows of embeddings [N,D] (bias, residual and centre accounted for) and their activations [N,P]."""
        leverage = torch.cat(
            [
                tower.precision.leverage(tower.projection.inputs(chunk))
                for chunk in activations.split(_CHUNK) or (activations,)
            ]
        )
        shared = tower.precision.shared.to(leverage.dtype)
        made = GaussianEmbedding(embeddings, leverage=leverage.clamp_min(_NO_DIRECTION), shared=shared)
        return cls(made, activations)

    def __len__(self) -> int:
        return len(self.activations)

    def rows(self, index: Tensor) -> NoisyRows:
        return NoisyRows(self.gaussian.rows(index), self.activations[index])

    def normalized(self) -> GaussianEmbedding:
        """The embeddings over the root of their second moment: near each other by direction, not by length."""
        x = self.gaussian
        moment = x.second_moment()  # [N]
        assert x.leverage is not None
        return GaussianEmbedding(
            x.mean / moment.sqrt()[:, None], leverage=x.leverage / moment, shared=x.shared
        )


def joint_sampler(
    posterior: AdapterPosterior, tower: TowerPosterior, parts: Sequence[NoisyRows]
) -> JointSampler:
    """Draws [m,K,C] of the logits of rows that are asked for by number [m] int64, counted through all `parts`.

    Row i of the first part is number i, row j of the second `len(first) + j`, and so on.
    """

    def draw(numbers: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        chosen = _gather(parts, numbers)
        mean, norm = chosen.gaussian.mean, chosen.gaussian.second_moment().sqrt()
        inputs = tower.projection.inputs(chosen.activations)
        size = max(1, _BLOCK_ELEMENTS // max(mean.numel(), 1))
        blocks = []
        for start in range(0, n_samples, size):
            k = min(size, n_samples - start)
            noise = tower.precision.sample(inputs, k, generator)  # [m,k,D]
            rows = (mean[:, None] + noise) / norm[:, None, None]
            blocks.append(posterior.joint(rows, k, generator))
        return torch.cat(blocks, 1)

    return draw


def _gather(parts: Sequence[NoisyRows], numbers: Tensor) -> NoisyRows:
    """The numbered rows, in the order of the numbers."""
    if len(parts) == 1:
        return parts[0].rows(numbers)
    start, where, found = 0, [], []
    for part in parts:
        at = torch.nonzero((numbers >= start) & (numbers < start + len(part)))[:, 0]
        where.append(at)
        found.append(part.rows(numbers[at] - start))
        start += len(part)
    back = torch.argsort(torch.cat(where))
    first = found[0].gaussian
    gaussian = GaussianEmbedding(
        torch.cat([each.gaussian.mean for each in found])[back],
        leverage=torch.cat([each.gaussian.leverage for each in found if each.gaussian.leverage is not None])[
            back
        ],
        shared=first.shared,
    )
    return NoisyRows(gaussian, torch.cat([each.activations for each in found])[back])
