"""What the distributions are good for: what to label, what is ambiguous, what an image could also have been.

Shapes use the glossary of `probal.types`: N images, D embedding width, K samples; M images in the pool.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probal.errors import UserError
from probal.probvlm.density import GeneralizedGaussian
from probal.probvlm.embedding import ProbEmbedding
from probal.probvlm.loss import pair_loss
from probal.probvlm.model import ProbVLM

_SAMPLES = 32
_CHUNK = 256
"""Images whose samples' cosines to all texts are in memory at a time."""


def acquisition_score(embedding: ProbEmbedding) -> Tensor:
    """`½ Σ_d log(1 + epistemic_d / aleatoric_d)`, [N] nats, at least 0.

    The information that one observation of the embedding, noisy by the aleatoric variance, gives on its mean, known
    up to the epistemic one, were both Gaussian and the dimensions independent. It rises with epistemic and falls
    with aleatoric uncertainty; arXiv 2307.00398 ranks by the sum of both, which prefers images that no label
    explains. Raises FloatingPointError for a score that is not finite.
    """
    score = 0.5 * torch.log1p(embedding.epistemic / embedding.aleatoric).sum(1)
    if not bool(torch.isfinite(score).all()):
        raise FloatingPointError("an acquisition score is not finite: an aleatoric variance is 0")
    return score


def ambiguity_threshold(model: ProbVLM, share: float) -> float:
    """Ambiguity that an image like the held-out ones exceeds with probability at most `share` in (0, 1).

    The ⌈(m + 1)(1 − share)⌉-th smallest of m held-out images (split conformal). UserError for another share, or for
    too few held-out images to tell so small a one.
    """
    if not 0 < share < 1:
        raise UserError(f"the share of flagged images must be between 0 and 1, got {share}")
    m = len(model.reference)
    rank = math.ceil((m + 1) * (1 - share) - 1e-9)  # (m + 1)·0.9 may lie a rounding error above its integer
    if rank > m:
        raise UserError(
            f"{m} held-out images cannot flag a share of {share}: "
            f"train on more pairs, or flag at least {1 / (m + 1):.3g}"
        )
    return float(model.reference[rank - 1])


def ambiguous(model: ProbVLM, embedding: ProbEmbedding, share: float = 0.1) -> Tensor:
    """Whether each image is more ambiguous than :func:`ambiguity_threshold`, bool [N]."""
    return embedding.ambiguity() > ambiguity_threshold(model, share)


@torch.no_grad()
def retrieval_surprise(model: ProbVLM, images: Tensor, texts: Tensor) -> Tensor:
    """`−log p(z_T | V) − log p(z_V | T)` of each image [N, D] with the text [C, D] it retrieves, [N] nats.

    The cross-modal loss (arXiv 2307.00398) of the pair that a retrieval claims, a mean over D: how badly image and
    nearest text fit, as far as both distributions leave room. It looks at no other text. UserError for a wrong
    width or values that are not finite.
    """
    unit = torch.nn.functional.normalize(texts, dim=1)
    found = texts[(torch.nn.functional.normalize(images, dim=1) @ unit.mT).argmax(1)]  # [N, D]
    image, text = model.image_density(images), model.text_density(found)
    return pair_loss(image, text, images.float(), found.float(), 1.0).cross


def retrieval_spread(model: ProbVLM, images: Tensor, texts: Tensor, generator: torch.Generator) -> Tensor:
    """Share of 32 samples of each image's distribution whose nearest text is not its mean's, [N] in 0 to 1.

    images [N, D], texts [C, D]. It asks of the distribution what a retrieval does: whether another text is nearer.
    UserError for a wrong width or values that are not finite.
    """
    unit = torch.nn.functional.normalize(texts, dim=1).float()
    parts = [images.new_zeros(0)]
    for x in images.split(_CHUNK):
        density = model.image_density(x)
        own = (torch.nn.functional.normalize(density.mean, dim=1) @ unit.mT).argmax(1)  # [N]
        nearest, _ = nearest_to_samples(density, unit, _SAMPLES, generator)
        parts.append((nearest != own[:, None]).to(x.dtype).mean(1))
    return torch.cat(parts)


def nearest_to_samples(
    density: GeneralizedGaussian, pool: Tensor, k: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The pool image nearest to each of K samples of each row, by cosine: pictures of a distribution.

    pool [M, D] of what the distribution is over: other images' means, to show them as the head sees them, or text
    embeddings. Returns indices into the pool, int64 [N, K], and their cosines [N, K].
    """
    samples = density.sample(k, generator).transpose(0, 1)  # [N, K, D]
    unit = torch.nn.functional.normalize(pool, dim=1)  # [M, D]
    cosine, index = (torch.nn.functional.normalize(samples, dim=2) @ unit.mT).max(2)  # [N, K]
    return index, cosine
