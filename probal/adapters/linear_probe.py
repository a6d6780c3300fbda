"""Linear probe: logistic regression on the embeddings, no prototypes; what most people would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.adapters._softmax_gp import find_mode
from probal.adapters.base import check_labels
from probal.adapters.linear import PointPosterior
from probal.gaussian import GaussianEmbedding
from probal.threads import single_thread

INVERSE_REGULARIZATION = 316.0
"""scikit-learn's C on unit rows. CLIP's own probe searches 10⁻⁶ to 10⁶ on held-out labels, which few-shot learning
does not have, and ends near this on most sets (arXiv 2103.00020, appendix A.3)."""


@dataclass(frozen=True)
class LinearProbe:
    """Multinomial logistic regression without intercept, all C classes in it whether labeled or not.

    It is the mode of BayesAdapter's model around zero prototypes, so its code is too. Before the first label the
    prototypes answer, which is all there is.
    """

    scale: float
    inverse_regularization: float = INVERSE_REGULARIZATION

    @single_thread()
    def fit(
        self, x: Tensor, y: Tensor, prior: GaussianEmbedding, start: Mapping[str, Tensor] | None = None
    ) -> PointPosterior:
        """See `Adapter.fit`; of the prior only the shape is read once there are labels."""
        check_labels(x, y, prior)
        if not len(y):
            return PointPosterior(self.scale * prior.mean.to(x.dtype), {"scale": self.scale})
        rows = self.inverse_regularization**0.5 * x.double()
        mode = find_mode(torch.zeros(len(y), len(prior), dtype=torch.float64), rows @ rows.T, y)
        weights = self.inverse_regularization**0.5 * mode.representer.T @ rows  # [C,D]
        return PointPosterior(weights.to(x.dtype), {"inverse_regularization": self.inverse_regularization})
