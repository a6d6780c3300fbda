"""Which encoder suits an unlabeled pool: the one whose embeddings of it are the least uncertain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from probal.errors import UserError
from probal.probvlm.embedding import ProbEmbedding


@dataclass(frozen=True)
class RankedEncoder:
    encoder: str
    noise_to_signal: float
    """Mean over images of their total variance, over the total variance of the means between images."""
    error: float
    """Standard error of `noise_to_signal` over images, the signal held fixed."""


def rank_encoders(candidates: Mapping[str, ProbEmbedding]) -> tuple[RankedEncoder, ...]:
    """Encoders from the most to the least certain of one pool, each embedded by its own ProbVLM.

    arXiv 2307.00398 compares mean variances, which depend on the unit, the width and the modality gap of an
    embedding; over the variance between images they do not. UserError for no candidate, pools of different sizes,
    fewer than 2 images, or means that are all the same.
    """
    if not candidates:
        raise UserError("there is no encoder to rank: give at least one")
    sizes = {name: len(embedding) for name, embedding in candidates.items()}
    if len(set(sizes.values())) > 1 or min(sizes.values()) < 2:
        raise UserError(f"encoders are ranked on one pool of at least 2 images, got {sizes}")
    found = []
    for name, embedding in candidates.items():
        signal = float(embedding.mean.double().var(0).sum())
        if signal <= 0:
            raise UserError(f"encoder {name} gives every image of the pool the same embedding")
        noise = (embedding.aleatoric + embedding.epistemic).double().sum(1)  # [N]
        error = float(noise.std() / len(noise) ** 0.5) / signal
        found.append(RankedEncoder(name, float(noise.mean()) / signal, error))
    return tuple(sorted(found, key=lambda ranked: (ranked.noise_to_signal, ranked.encoder)))
