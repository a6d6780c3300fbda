"""An embedding with its two uncertainties, and its Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from probal.gaussian import GaussianEmbedding


@dataclass(frozen=True, eq=False)
class ProbEmbedding:
    """N rows of width D; both variances in squared units of the embedding, never negative."""

    mean: Tensor  # [N, D]
    aleatoric: Tensor  # [N, D] what the input itself leaves open
    epistemic: Tensor  # [N, D] what more training pairs would settle

    def __post_init__(self) -> None:
        for name in ("aleatoric", "epistemic"):
            value = getattr(self, name)
            if self.mean.dim() != 2 or value.shape != self.mean.shape:
                raise ValueError(f"mean and {name} must be [N, D], got {self.mean.shape} and {value.shape}")
            if not bool((value >= 0).all()):  # NaN is not >= 0 either
                raise ValueError(f"{name} must be finite and not negative")

    def __len__(self) -> int:
        return self.mean.shape[0]

    def ambiguity(self) -> Tensor:
        """Aleatoric variance averaged over D, [N]."""
        return self.aleatoric.mean(1)

    def ignorance(self) -> Tensor:
        """Epistemic variance averaged over D, [N]."""
        return self.epistemic.mean(1)

    def gaussian(self) -> GaussianEmbedding:
        """The Gaussian of the same mean and variance, aleatoric plus epistemic (law of total variance)."""
        return GaussianEmbedding(self.mean, self.aleatoric + self.epistemic)

    def rows(self, index: Tensor | slice | list[int]) -> ProbEmbedding:
        """The rows at `index`."""
        return ProbEmbedding(self.mean[index], self.aleatoric[index], self.epistemic[index])
