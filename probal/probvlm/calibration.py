"""Is the uncertainty right? Coverage of central intervals, and error by bins of uncertainty.

Shapes use the glossary of `probal.types`: N rows, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probal.probvlm.density import GeneralizedGaussian

LEVELS = tuple(k / 10 for k in range(1, 10))


def coverage(distribution: GeneralizedGaussian, target: Tensor, levels: tuple[float, ...] = LEVELS) -> Tensor:
    """Share of the N × D targets inside the central interval of each level, [L]; calibrated: the levels."""
    inside = distribution.level(target)  # [N, D]
    return torch.stack([(inside <= level).double().mean() for level in levels])


def pair_coverage(
    image: GeneralizedGaussian,
    text: GeneralizedGaussian,
    z_image: Tensor,
    z_text: Tensor,
    cross_weight: float,
) -> Tensor:
    """Coverage [L] of both embeddings of each pair by both distributions, own 1 and partner λ, as in the loss."""
    own = coverage(image, z_image) + coverage(text, z_text)
    partner = coverage(image, z_text) + coverage(text, z_image)
    return (own + cross_weight * partner) / (2 + 2 * cross_weight)


def calibration_error(found: Tensor, levels: tuple[float, ...] = LEVELS) -> float:
    """Mean over levels of `|coverage − level|`, between 0 and 1."""
    return float((found - torch.tensor(levels, dtype=found.dtype)).abs().mean())


@dataclass(frozen=True)
class Bin:
    """Images of neighbouring uncertainty."""

    count: int
    uncertainty: float
    error: float


def bins_of(uncertainty: Tensor, error: Tensor, bins: int = 10) -> tuple[Bin, ...]:
    """Mean uncertainty [N] and error [N] in `bins` bins of rising uncertainty; sizes differ by one at most.

    Every image is in exactly one bin, the last ones too. ValueError for fewer images than bins.
    """
    n = len(uncertainty)
    if bins < 1 or n < bins or error.shape != uncertainty.shape:
        raise ValueError(
            f"need at least 1 bin, as many images as bins and one error each, "
            f"got {bins} bins, {n} images, {tuple(error.shape)} errors"
        )
    order = uncertainty.argsort(stable=True)
    return tuple(
        Bin(len(part), float(uncertainty[part].double().mean()), float(error[part].double().mean()))
        for part in order.tensor_split(bins)
    )
