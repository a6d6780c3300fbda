"""Uncertainty scores of Gaussian logits, in nats: entropy, expected entropy, margin, confidence, BALD.

Shapes use the glossary of `probal.types`: N images, C classes, K samples. With `p_k = softmax(z_k)` at K
quasi-random nodes z_k of an image's Gaussian logits and `p̄ = mean_k p_k`:

    total      = H(p̄)                       entropy
    aleatoric  = mean_k H(p_k)              expected entropy: what remains if the model were known
    epistemic  = total − aleatoric          BALD (Houlsby et al. 2011, arXiv 1112.5745)

All three come from the same nodes, so the difference is a mutual information of the sample itself: it is
never negative but for rounding, and never above log C. The nodes are the same on every call unless a
generator is handed in, so scores are repeatable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.gaussian import GaussianLogits
from probal.gaussian.predictive import contrast_factor

N_SAMPLES = 128
"""Nodes per image: BALD is then 2 to 4 % off (root mean square over its mean) for 2 to 20 classes and logit
deviations of about 1; larger variances want more."""


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What the logits say about each image; entropies in nats, `total = aleatoric + epistemic`."""

    predictive: Tensor  # [N, C]
    total: Tensor  # [N]
    aleatoric: Tensor  # [N]
    epistemic: Tensor  # [N]


def uncertainty(
    logits: GaussianLogits, generator: torch.Generator | None = None, n_samples: int = N_SAMPLES
) -> Uncertainty:
    """Predictive and its entropy taken apart, for all images from one set of nodes.

    `n_samples` is best a power of two. Memory is bounded by a block of images, whatever N and K. Raises
    FloatingPointError where a score is not finite or breaks 0 ≤ epistemic ≤ total ≤ log C by more than
    rounding.
    """
    predictive, aleatoric = logits.integrate(n_samples, generator)  # [N, C], [N]
    total = torch.special.entr(predictive).sum(1)
    ceiling = math.log(logits.n_classes)
    slack = (64 + n_samples) * torch.finfo(total.dtype).eps * max(1.0, ceiling)  # a sum of K roundings
    total = bounded(total, ceiling, slack, "total uncertainty of")
    aleatoric = bounded(aleatoric, ceiling, slack, "aleatoric uncertainty of")
    epistemic = bounded(total - aleatoric, ceiling, slack, "epistemic uncertainty of")
    return Uncertainty(predictive, total, aleatoric, epistemic)


def entropy(
    logits: GaussianLogits, generator: torch.Generator | None = None, n_samples: int = N_SAMPLES
) -> Tensor:
    """Entropy of the posterior predictive, `H(p̄)`, [N]; the highest is the least certain."""
    return uncertainty(logits, generator, n_samples).total


def expected_entropy(
    logits: GaussianLogits, generator: torch.Generator | None = None, n_samples: int = N_SAMPLES
) -> Tensor:
    """Mean entropy under the posterior, `mean_k H(p_k)`, [N]: the aleatoric part."""
    return uncertainty(logits, generator, n_samples).aleatoric


def margin(
    logits: GaussianLogits, generator: torch.Generator | None = None, n_samples: int = N_SAMPLES
) -> Tensor:
    """Likeliest less second likeliest class of the predictive, [N] in [0, 1]; the LOWEST is least certain.

    Raises FloatingPointError where a score is not finite and ValueError for fewer than two classes.
    """
    if logits.n_classes < 2:
        raise ValueError("a margin needs at least two classes")
    return margin_of(uncertainty(logits, generator, n_samples).predictive)


def margin_of(predictive: Tensor) -> Tensor:
    """The margin of probabilities that are at hand already, [N, C] -> [N]."""
    top = predictive.topk(2, dim=1).values  # [N, 2]
    return top[:, 0] - top[:, 1]


def bald(
    logits: GaussianLogits, generator: torch.Generator | None = None, n_samples: int = N_SAMPLES
) -> Tensor:
    """Mutual information of the label and the model, `H(p̄) − mean_k H(p_k)`, [N]: the epistemic part."""
    return uncertainty(logits, generator, n_samples).epistemic


def bald_second_order(logits: GaussianLogits) -> Tensor:
    """BALD in closed form, `t / (1 + t/b)` with `t = ½ tr((diag p − ppᵀ) Σ)` and p the softmax of the means, [N].

    t is the mutual information of label and logits to second order in their deviations from the mean: half the
    Fisher information times the covariance. It grows with the variance for ever where the truth stays below log C,
    hence the denominator, which keeps t's slope at zero and its order of the images, and stays below
    b = min(1, log C): 1 fits best, and log 2 is less. Rank correlation with quasi-Monte Carlo of 4,096 nodes, for
    10 classes (benchmarks/bald.py --order --classes 10):

        deviation of the logits        0.1      0.5      1.0      2.0
        this                         1.000    0.999    0.999    0.969
        quasi-Monte Carlo, 16 nodes  0.911    0.908    0.982    0.277

    Costs N·C·R and draws nothing. Raises FloatingPointError where a score is not finite.
    """
    p = logits.mean.softmax(1)  # [N, C]
    spread = (p * logits.var).sum(1) - (p.square() * logits.var).sum(1)  # tr((diag p − ppᵀ) diag v)
    if logits.gain is not None and logits.factor is not None:
        factor = contrast_factor(logits.factor)  # [C, R]: without the common mode, which cancels
        spread = spread + logits.gain * (p @ factor.square().sum(1) - (p @ factor).square().sum(1))
    t = 0.5 * spread.clamp(min=0)
    t = torch.where(torch.isfinite(logits.mean).all(1), t, torch.nan)  # a softmax hides −∞
    ceiling = math.log(logits.n_classes)
    limits = torch.finfo(t.dtype)
    score = t / (1 + t / max(min(1.0, ceiling), limits.tiny))  # a single class leaves zero to learn
    return bounded(score, ceiling, 4 * limits.eps, "second-order BALD of")


def bounded(score: Tensor, ceiling: float, slack: float, name: str) -> Tensor:
    """`score` clipped to [0, ceiling] where rounding left it; FloatingPointError where it is far outside."""
    if not bool(torch.isfinite(score).all()):
        rows = torch.nonzero(~torch.isfinite(score)).flatten()
        raise FloatingPointError(f"{name} {len(rows)} images is not finite, first row {int(rows[0])}")
    if len(score) and (float(score.min()) < -slack or float(score.max()) > ceiling + slack):
        low, high = float(score.min()), float(score.max())
        raise FloatingPointError(
            f"{name} the images spans [{low:.3g}, {high:.3g}], outside [0, {ceiling:.3g}]"
        )
    return score.clamp(0, ceiling)
