"""The last linear map of a tower, `z = W a (+ b) (+ r)`: what BayesVLM puts a posterior on.

Shapes use the glossary of `probal.types`: activations a [N, P], weight W [D, P], embeddings z [N, D].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Projection:
    """Weight [D, P] and, where the layer has one, bias [D]; a bias is one more column, of activation 1.

    Kept in float64. Raises ValueError for shapes that do not fit.
    """

    weight: Tensor  # [D, P]
    bias: Tensor | None = None  # [D]

    def __post_init__(self) -> None:
        if self.weight.dim() != 2:
            raise ValueError(f"weight must be [D, P], got shape {tuple(self.weight.shape)}")
        if self.bias is not None and self.bias.shape != self.weight.shape[:1]:
            raise ValueError(f"bias must be [D] = [{self.width}], got shape {tuple(self.bias.shape)}")
        object.__setattr__(self, "weight", self.weight.detach().double())
        if self.bias is not None:
            object.__setattr__(self, "bias", self.bias.detach().double())

    @classmethod
    def identity(cls, width: int) -> Projection:
        """For an encoder whose embedding is its activation, P = D = `width`."""
        return cls(torch.eye(width, dtype=torch.float64))

    @property
    def width(self) -> int:
        """D."""
        return self.weight.shape[0]

    @property
    def columns(self) -> int:
        """P, and one more for the bias."""
        return self.weight.shape[1] + (self.bias is not None)

    def square_norm(self, span: Tensor | None = None) -> float:
        """`‖W‖²`, bias included: what the prior pulls to zero; `‖spanᵀW‖²` for output directions span [D, R]."""
        parts = [self.weight] if self.bias is None else [self.weight, self.bias[:, None]]
        columns = torch.cat(parts, 1)
        return float((columns if span is None else span.mT @ columns).square().sum())

    def inputs(self, activations: Tensor) -> Tensor:
        """Activations [N, P] with the bias's column of ones where there is a bias, [N, P or P + 1]."""
        expected = self.weight.shape[1]
        if activations.dim() != 2 or activations.shape[1] != expected:
            raise ValueError(f"activations must be [N, P], P = {expected}, got {tuple(activations.shape)}")
        if self.bias is None:
            return activations
        return torch.cat([activations, torch.ones_like(activations[:, :1])], 1)

    def apply(self, activations: Tensor, residual: Tensor | None = None) -> Tensor:
        """Embeddings `W a + b + r`, [N, D], in the activations' type, float32 at the least.

        `residual` [N, D] is what the tower adds after the layer, as SigLIP's attention pool does.
        """
        self.inputs(activations[:0])
        z = activations.double() @ self.weight.mT
        if self.bias is not None:
            z = z + self.bias
        if residual is not None:
            if residual.shape != z.shape:
                raise ValueError(f"residual must be [N, D] = {tuple(z.shape)}, got {tuple(residual.shape)}")
            z = z + residual.double()
        return z.to(torch.promote_types(activations.dtype, torch.float32))


def span_of(rows: Tensor) -> Tensor:
    """Orthonormal columns [D, R] spanning rows [C, D], R their rank; float64.

    With the class rows it is the output directions that the logits read: with W uncertain there only, what no
    likelihood ever saw stays exact.
    """
    _, values, directions = torch.linalg.svd(rows.double(), full_matrices=False)
    tiny = torch.finfo(torch.float32).eps * max(rows.shape)  # rows may have been rounded to float32
    return directions[values > tiny * values.max()].mT
