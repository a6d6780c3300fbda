"""How sharp BayesAdapter's probabilities should be, by labels predicted from those that came before them.

Leave-one-out makes a model of chosen labels too timid (`_later`). With f the logits of later labels at the mode of
the earlier ones::

    s = argmax  Σ_i log softmax(s f_i)[y_i]  −  ½ (log s / _SPREAD)²

The logits of the final model are multiplied by s, means and deviations, which leaves every image its likeliest class.
Chosen on the sets of docs/benchmarks.md (Calibration) and measured there.
"""

from __future__ import annotations

import math

from scipy.optimize import minimize_scalar
from torch import Tensor

from probal.adapters._later import Later

_SPREAD = 0.2
"""Standard deviation of log s before any label."""
_BOUND = 1.0
"""Of |log s|."""


def choose_sharpness(later: Later | None) -> float:
    """s > 0; 1 where nothing can be asked."""
    return 1.0 if later is None else _sharpest(later.logits, later.labels)


def _sharpest(logits: Tensor, y: Tensor) -> float:
    """s with the largest penalized likelihood of y [m] under logits [m,C]; concave in s."""
    own = float(logits.gather(1, y.unsqueeze(1)).sum())

    def loss(log_s: float) -> float:
        s = math.exp(log_s)
        return float((s * logits).logsumexp(1).sum()) - s * own + 0.5 * (log_s / _SPREAD) ** 2

    return math.exp(float(minimize_scalar(loss, bounds=(-_BOUND, _BOUND), method="bounded").x))
