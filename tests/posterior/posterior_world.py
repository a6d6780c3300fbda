"""Small drawn towers in float64 whose every width is different: P ≠ D, N ≠ C."""

from __future__ import annotations

import torch
from torch import Tensor

from probal.posterior import Curvature, Projection

N, C, P, D = 7, 4, 5, 3


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spd(width: int, seed: int, size: float = 1.0) -> Tensor:
    root = draw(width, width, seed=seed)
    return size * root @ root.mT


def projection(bias: bool = False, seed: int = 11) -> Projection:
    return Projection(draw(D, P, seed=seed), draw(D, seed=seed + 1) if bias else None)


def curvature(columns: int = P, seed: int = 21, count: float = 50.0) -> Curvature:
    return Curvature.from_factors(spd(columns, seed, 2.0), spd(D, seed + 1, 3.0), count)
