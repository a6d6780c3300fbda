"""A Gaussian over every row of an embedding: the one form in which uncertainty enters.

Shapes use the glossary of `probal.types`: N rows (images or classes), D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Index = Tensor | slice | list[int]


@dataclass(frozen=True, eq=False)
class GaussianEmbedding:
    """Rows `x_i ~ N(mean_i, Σ_i)`, independent of each other.

    The covariance is one of three:

    - neither `var` nor `leverage`: `Σ_i = 0`, the rows are exact;
    - `var` [N, D]: `Σ_i = diag(var_i)`;
    - `leverage` [N] with `shared` [D] or [D, D]: `Σ_i = leverage_i · S` with `S = diag(shared)` or `shared`
      itself, which must be positive semi-definite. This is the Kronecker posterior of BayesVLM
      (arXiv 2412.06014): leverage `aᵀÃ⁻¹a`, shared `B̃⁻¹`.

    Tensors are floating point on one device. float32 and float64 are kept, smaller types become float32; of
    mixed types the larger wins. Raises ValueError for shapes that do not fit, a negative variance or
    leverage, and an asymmetric `shared`.
    """

    mean: Tensor  # [N, D]
    var: Tensor | None = None  # [N, D]
    leverage: Tensor | None = None  # [N]
    shared: Tensor | None = None  # [D] or [D, D]

    def __post_init__(self) -> None:
        if self.mean.dim() != 2:
            raise ValueError(f"mean must be [N, D], got shape {tuple(self.mean.shape)}")
        if self.var is not None and (self.leverage is not None or self.shared is not None):
            raise ValueError("give either var, or leverage with shared, not both")
        if (self.leverage is None) != (self.shared is None):
            raise ValueError("leverage [N] and shared [D] or [D, D] belong together, one of them is missing")
        self._promote()
        n, d = self.mean.shape
        if self.var is not None:
            _check(self.var, ((n, d),), "var", "[N, D]")
        if self.leverage is not None and self.shared is not None:
            _check(self.leverage, ((n,),), "leverage", "[N]")
            if self.shared.dim() == 2:
                if self.shared.shape != (d, d):
                    raise ValueError(f"shared must be [D] or [D, D], D = {d}, got {tuple(self.shared.shape)}")
                _check(self.shared.diagonal(), ((d,),), "the diagonal of shared", "[D]")
                slack = 1e-4 * float(self.shared.abs().max())  # float32 inverses are this uneven
                if bool(((self.shared - self.shared.mT).abs() > slack).any()):
                    raise ValueError("shared [D, D] must be symmetric")
            else:
                _check(self.shared, ((d,),), "shared", "[D] or [D, D]")

    def _promote(self) -> None:
        """Bring every tensor to one type, float32 at the least."""
        given = {name: getattr(self, name) for name in ("mean", "var", "leverage", "shared")}
        dtype = torch.float32
        for name, value in given.items():
            if value is None:
                continue
            if not value.is_floating_point():
                raise ValueError(f"{name} must be floating point, got {value.dtype}")
            dtype = torch.promote_types(dtype, value.dtype)
        for name, value in given.items():
            if value is not None and value.dtype != dtype:
                object.__setattr__(self, name, value.to(dtype))

    def __len__(self) -> int:
        return self.mean.shape[0]

    @property
    def width(self) -> int:
        """D."""
        return self.mean.shape[1]

    @property
    def is_exact(self) -> bool:
        """Whether the rows carry no variance at all."""
        return self.var is None and self.leverage is None

    def variance(self) -> Tensor:
        """Marginal variances `diag(Σ_i)`, [N, D]."""
        if self.var is not None:
            return self.var
        if self.leverage is not None and self.shared is not None:
            diagonal = self.shared if self.shared.dim() == 1 else self.shared.diagonal()  # [D]
            return self.leverage[:, None] * diagonal
        return torch.zeros_like(self.mean)

    def variance_along(self, weights: Tensor) -> Tensor:
        """`Σ_d Σ_i[d, d] · weights[c, d]`, weights [C, D] -> [N, C]; makes no [N, D] of leverages."""
        if self.leverage is not None and self.shared is not None:
            diagonal = self.shared if self.shared.dim() == 1 else self.shared.diagonal()  # [D]
            return self.leverage[:, None] * (weights @ diagonal)
        return self.variance() @ weights.mT

    def second_moment(self) -> Tensor:
        """`E|x_i|² = |mean_i|² + tr Σ_i`, [N]: the `ex` and `et` of the cosine's moments."""
        square = self.mean.square().sum(1)  # [N]
        if self.var is not None:
            return square + self.var.sum(1)
        if self.leverage is not None and self.shared is not None:
            trace = self.shared.sum() if self.shared.dim() == 1 else self.shared.diagonal().sum()
            return square + self.leverage * trace
        return square

    def covariance(self, i: int) -> Tensor:
        """`Σ_i` written out, [D, D]: what tests compare with."""
        if self.leverage is not None and self.shared is not None and self.shared.dim() == 2:
            return self.leverage[i] * self.shared
        return torch.diag(self.variance()[i])

    def rows(self, index: Index) -> GaussianEmbedding:
        """The rows at `index` (integers, a mask or a slice); `shared` is not copied."""
        return GaussianEmbedding(
            self.mean[index],
            None if self.var is None else self.var[index],
            None if self.leverage is None else self.leverage[index],
            self.shared,
        )

    def to(self, dtype: torch.dtype) -> GaussianEmbedding:
        """The same in another floating point type."""
        return GaussianEmbedding(
            *(None if t is None else t.to(dtype) for t in (self.mean, self.var, self.leverage, self.shared))  # type: ignore[arg-type]
        )


def _check(value: Tensor, shapes: tuple[tuple[int, ...], ...], name: str, expected: str) -> None:
    """ValueError unless `value` has one of the shapes and is nowhere negative."""
    if tuple(value.shape) not in shapes:
        wanted = " or ".join(str(shape) for shape in shapes)
        raise ValueError(f"{name} must be {expected} = {wanted}, got {tuple(value.shape)}")
    if bool((value < 0).any()):
        raise ValueError(f"{name} must not be negative, smallest entry {float(value.min()):.3g}")
