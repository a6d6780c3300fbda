"""CLAP: the mode of BayesAdapter's model, with the paper's own weights per class.

CLAP (Silva-Rodríguez et al. 2024, arXiv 2312.12730, eq. 9) minimizes the mean cross-entropy plus
``Σ_c λ_c |w_c − t_c|²``, λ_c the mean zero-shot probability that the labeled images of class c give to c. That is the
mode under w_c ~ N(t_c, (2nλ_c)⁻¹ I): n, because the paper's loss is a mean over the labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from probal.adapters._gains import class_multipliers
from probal.adapters._softmax_gp import find_mode
from probal.adapters.base import check_labels
from probal.adapters.linear import PointPosterior
from probal.gaussian import GaussianEmbedding
from probal.threads import single_thread


@dataclass(frozen=True)
class Clap:
    """MAP by Newton in the dual; the optimum that the paper's SGD aims at."""

    scale: float

    @single_thread()
    def fit(
        self, x: Tensor, y: Tensor, prior: GaussianEmbedding, start: Mapping[str, Tensor] | None = None
    ) -> PointPosterior:
        """See `Adapter.fit`. A class without labels takes the mean λ of the others, so it is finite (the paper's
        code divides by its number of labels) and stays near its prototype."""
        check_labels(x, y, prior)
        prototypes = prior.mean.double()
        zero_shot = self.scale * x.double() @ prototypes.T  # [n,C]
        multipliers = class_multipliers(zero_shot, y)
        rows = x.double()
        # |w − t|² in units of logits is |scale (w − t)|² / scale²
        gains = self.scale / (2 * max(len(y), 1) * multipliers).sqrt()  # [C]
        mode = find_mode(zero_shot, rows @ rows.T, y, gains=gains)
        weights = self.scale * prototypes + gains.square().unsqueeze(1) * (mode.representer.T @ rows)
        return PointPosterior(
            weights.to(x.dtype), {"scale": self.scale, "mean_multiplier": float(multipliers.mean())}
        )
