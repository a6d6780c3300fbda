"""ProbVLM's objective: intra-modal plus λ × cross-modal alignment (arXiv 2307.00398).

Intra-modal: the negative log-likelihood of each embedding under its own distribution. Cross-modal: of
`p(z_v = z_t) ≈ ½ ∫ (G(z; V) δ(z − z_T) + G(z; T) δ(z − z_V)) dz` the paper keeps each partner's likelihood under
the other's distribution. A pair's whole loss is `(V(z_V) + T(z_T)) + λ (V(z_T) + T(z_V))`, a mean over D.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from probal.probvlm.density import GeneralizedGaussian


@dataclass(frozen=True, eq=False)
class PairLoss:
    """Terms of each pair, nats per dimension."""

    intra: Tensor  # [n] −log p of z_V under the image's distribution, plus of z_T under the text's
    cross: Tensor  # [n] −log p of z_T under the image's distribution, plus of z_V under the text's
    cross_weight: float

    def total(self) -> Tensor:
        """`intra + λ cross`, [n]."""
        return self.intra + self.cross_weight * self.cross


def pair_loss(
    image: GeneralizedGaussian,
    text: GeneralizedGaussian,
    z_image: Tensor,
    z_text: Tensor,
    cross_weight: float,
) -> PairLoss:
    """The four likelihoods of n pairs; z_image and z_text [n, D] are the frozen embeddings."""
    return PairLoss(
        intra=image.nll(z_image).mean(1) + text.nll(z_text).mean(1),
        cross=image.nll(z_text).mean(1) + text.nll(z_image).mean(1),
        cross_weight=cross_weight,
    )
