"""KFAC factors of a tower's curvature: what was seen, as sums that add up, and how it is estimated.

Shapes use the glossary of `probal.types`: activations [N, P] (with the bias's column), embeddings [N, D],
targets [C, D]. Source: BayesVLM (arXiv 2412.06014), section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.posterior.ggn import Likelihood
from probal.posterior.projection import Projection

MINIBATCH = 256
"""Rows at a time: the largest thing made is [MINIBATCH, C]."""
CONTRAST = 32_768
"""Pairs that contrast with each other, the batch size of the published factors."""


@dataclass(frozen=True, eq=False)
class Curvature:
    """`Σ_i (a_i a_iᵀ) ⊗ (J_iᵀΛ_iJ_i)` as KFAC has it: two sums and the number of images they are over.

    The factors are `A = count^-½ Σ a aᵀ` and `B = count^-½ Σ JᵀΛJ`, so that `A⊗B` is the count times the
    product of the two means and grows with the evidence. Sums add: `+` is exactly the curvature of both data
    sets together. Float64. Raises ValueError for shapes that do not fit and a count that is not positive.
    """

    outer: Tensor  # [P, P]
    ggn: Tensor  # [D, D]
    count: float
    pseudo_count: float = 0.0
    """How much of the count is assumed: images that were seen but that nobody labeled or captioned."""

    def __post_init__(self) -> None:
        for name in ("outer", "ggn"):
            value = getattr(self, name)
            if value.dim() != 2 or value.shape[0] != value.shape[1]:
                raise ValueError(f"{name} must be a square matrix, got shape {tuple(value.shape)}")
            object.__setattr__(self, name, value.double())
        if not (math.isfinite(self.count) and self.count > 0):
            raise ValueError(f"count must be a positive number of images, got {self.count}")

    @classmethod
    def from_factors(cls, a: Tensor, b: Tensor, count: float) -> Curvature:
        """From A [P, P] and B [D, D] and the number of images behind them."""
        root = math.sqrt(count)
        return cls(root * a.double(), root * b.double(), count)

    @property
    def a(self) -> Tensor:
        """A, [P, P]."""
        return self.outer / math.sqrt(self.count)

    @property
    def b(self) -> Tensor:
        """B, [D, D]."""
        return self.ggn / math.sqrt(self.count)

    def __add__(self, other: Curvature) -> Curvature:
        """The curvature of both data sets together."""
        if self.outer.shape != other.outer.shape or self.ggn.shape != other.ggn.shape:
            raise ValueError("curvatures of different widths cannot be added")
        return Curvature(
            self.outer + other.outer,
            self.ggn + other.ggn,
            self.count + other.count,
            self.pseudo_count + other.pseudo_count,
        )

    def shape_only(self, pseudo_count: float) -> Curvature:
        """The same shape, counted as `pseudo_count` images of which none is evidence."""
        share = pseudo_count / self.count
        return Curvature(share * self.outer, share * self.ggn, pseudo_count, pseudo_count)


def measure(
    projection: Projection,
    activations: Tensor,
    targets: Tensor,
    likelihood: Likelihood,
    residual: Tensor | None = None,
    minibatch: int = MINIBATCH,
) -> Curvature:
    """Curvature of the projection at activations [N, P], each contrasted with all targets [C, D].

    Streams in minibatches, whose size does not change the result. `residual` [N, D] as in
    :meth:`Projection.apply`. This is what labeled images count for. Raises ValueError for no images, and for
    an embedding without a direction.
    """
    if not len(activations):
        raise ValueError("no activations to measure the curvature on")
    outer = torch.zeros(projection.columns, projection.columns, dtype=torch.float64)
    ggn = torch.zeros(projection.width, projection.width, dtype=torch.float64)
    for start in range(0, len(activations), minibatch):
        rows = slice(start, start + minibatch)
        a = activations[rows].double()
        z = projection.apply(a, None if residual is None else residual[rows])
        x = projection.inputs(a)
        outer += x.mT @ x
        ggn += likelihood.ggn(z, targets)
    return Curvature(outer, (ggn + ggn.mT) / 2, float(len(activations)))


def measure_pairs(
    projection: Projection,
    activations: Tensor,
    targets: Tensor,
    likelihood: Likelihood,
    residual: Tensor | None = None,
    contrast: int = CONTRAST,
    minibatch: int = MINIBATCH,
) -> Curvature:
    """Curvature from pairs: activation i [N, P] of this tower with embedding i [N, D] of the other.

    Each row is contrasted with the other tower's rows of its own batch, as in training: the pairs are cut, in
    order, into ⌈N / contrast⌉ batches of nearly equal size, and none is left out. For the image tower hand
    in image activations and text embeddings, for the text tower the reverse.
    """
    if len(activations) != len(targets):
        raise ValueError(f"{len(activations)} activations and {len(targets)} embeddings are not pairs")
    if contrast < 2:
        raise ValueError(f"a pair needs another one to contrast with, got contrast = {contrast}")
    if not len(activations):
        raise ValueError("no activations to measure the curvature on")
    total: Curvature | None = None
    for rows in torch.arange(len(targets)).tensor_split(math.ceil(len(targets) / contrast)):
        chosen = None if residual is None else residual[rows]
        part = measure(projection, activations[rows], targets[rows], likelihood, chosen, minibatch)
        total = part if total is None else total + part
    assert total is not None
    return total


def measure_label_free(
    projection: Projection,
    activations: Tensor,
    targets: Tensor,
    likelihood: Likelihood,
    pseudo_count: float,
    residual: Tensor | None = None,
    minibatch: int = MINIBATCH,
) -> Curvature:
    """The shape of the curvature on unlabeled images against class prompts, worth `pseudo_count` images.

    Nobody said what these N images are, so their number is no evidence: the sums are averaged over N and
    weighted by the pseudo-count. A pool twice as large gives the same posterior.
    """
    return measure(projection, activations, targets, likelihood, residual, minibatch).shape_only(pseudo_count)
