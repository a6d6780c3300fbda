"""Generalized Gauss-Newton of the two contrastive losses with respect to an embedding.

Shapes use the glossary of `probal.types`: embeddings z [N, D] of one tower against targets [C, D] of the other
(the texts of a batch, or class prompts). Both losses read `f_c = scale · cos(z, t_c) + bias`, whose Jacobian is

    J_c = ∂f_c/∂z = scale / |z| · (t̂_c − cos_c ẑ)                [C, D] for each z

and the sum over the batch of `JᵀΛJ` is [D, D]. With weights `w_ic` in place of a diagonal Λ,

    Σ_ic w_ic (t̂_c − cos_ic ẑ_i)(t̂_c − cos_ic ẑ_i)ᵀ
        = T̂ᵀ diag(Σ_i w_ic) T̂ − G − Gᵀ + Σ_i (Σ_c w_ic cos²_ic) ẑ_i ẑ_iᵀ,    G = Σ_i ẑ_i (Σ_c w_ic cos_ic t̂_c)ᵀ

so no [N, D, D] is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Likelihood(Protocol):
    """A loss whose curvature is wanted."""

    def ggn(self, z: Tensor, targets: Tensor) -> Tensor:
        """`Σ_i JᵢᵀΛᵢJᵢ` of embeddings z [N, D] against targets [C, D]: [D, D] float64."""
        ...


@dataclass(frozen=True)
class InfoNCE:
    """Softmax over the targets, `Λ = diag(p) − ppᵀ`: CLIP's loss in one direction, and a classifier's."""

    scale: float

    def ggn(self, z: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Likelihood`. Raises ValueError for a row of length zero."""
        z_unit, length, t_unit = _directions(z, targets)
        cosine = z_unit @ t_unit.mT  # [N, C]
        probs = torch.softmax(self.scale * cosine, 1)  # [N, C]
        weights = probs * (self.scale / length).square()
        mean = self.scale / length * (probs @ t_unit - (probs * cosine).sum(1, keepdim=True) * z_unit)
        return _weighted(weights, cosine, z_unit, t_unit) - mean.mT @ mean


@dataclass(frozen=True)
class SigLIP:
    """One Bernoulli for each pair, `Λ = diag(σ(f)(1 − σ(f)))`, whichever way the pair is labeled."""

    scale: float
    bias: float

    def ggn(self, z: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Likelihood`. Raises ValueError for a row of length zero."""
        z_unit, length, t_unit = _directions(z, targets)
        cosine = z_unit @ t_unit.mT  # [N, C]
        logits = self.scale * cosine + self.bias
        weights = torch.sigmoid(logits) * torch.sigmoid(-logits) * (self.scale / length).square()
        return _weighted(weights, cosine, z_unit, t_unit)


def _weighted(weights: Tensor, cosine: Tensor, z_unit: Tensor, t_unit: Tensor) -> Tensor:
    """The module's identity; weights and cosine [N, C], unit rows [N, D] and [C, D] -> [D, D]."""
    pulled = weights * cosine  # [N, C]
    cross = z_unit.mT @ (pulled @ t_unit)  # [D, D]
    own = (pulled * cosine).sum(1, keepdim=True)  # [N, 1]
    return (t_unit.mT * weights.sum(0)) @ t_unit - cross - cross.mT + (z_unit * own).mT @ z_unit


def _directions(z: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit rows of z, their lengths [N, 1], unit rows of the targets; float64."""
    if z.dim() != 2 or targets.dim() != 2 or z.shape[1] != targets.shape[1]:
        raise ValueError(
            f"embeddings [N, D] and targets [C, D] must have equal widths, "
            f"got {tuple(z.shape)} and {tuple(targets.shape)}"
        )
    z, targets = z.double(), targets.double()
    length, target_length = z.norm(dim=1, keepdim=True), targets.norm(dim=1, keepdim=True)
    for name, lengths in (("embedding", length), ("target", target_length)):
        # a vector without direction has no Jacobian, and would poison the sum with NaN
        bad = torch.nonzero(~((lengths > 0) & torch.isfinite(lengths)).squeeze(1))
        if len(bad):
            raise ValueError(f"{name} row {int(bad[0])} is zero or not finite: it has no direction")
    return z / length, length, targets / target_length
