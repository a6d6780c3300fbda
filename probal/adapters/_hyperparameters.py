"""Scale, amplitude and temperature of BayesAdapter by leave-one-out; nothing is held out, nothing refitted.

Leave-one-out at the mode (Rasmussen and Williams, 2006, §5.4.2 carried to Laplace): removing image i moves its
logits by one cavity step. With s_ic the posterior variance of its logit, w = π(1−π) its curvature and g = y−π::

    cavity variance  s / (1 − s w)          cavity mean  f − s g / (1 − s w)

The classes' coupling is dropped here; against the coupled form and against refitting n times the log
likelihood differs little where there is a prior, see benchmarks/hyperparameters.py.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import one_hot

from probal.adapters._softmax_gp import Mode, find_mode

AMPLITUDE = 16.0
"""Centre of the amplitude's log-normal hyperprior. Low: the first ten labels may not undo a good prior, and where
there is none leave-one-out moves it to hundreds as soon as there is something to gain."""
AMPLITUDE_BARE = 256.0
"""The centre without any prototype: there is no prior to undo."""
_AMPLITUDE_SPREAD = math.log(4.0)
_SCALE_SPREAD = math.log(2.0)
_SEARCH_TOLERANCE = 1e-3
_NEGLIGIBLE = 0.02
_TEMPERATURES = tuple(4.0**-k for k in range(10))


def choose_hyperparameters(
    zero_shot: Tensor,
    span: Tensor,
    y: Tensor,
    scale: float,
    fit_scale: bool,
    amplitude: float | None,
    gains: Tensor | None = None,
) -> tuple[float, float]:
    """Scale and amplitude with the largest leave-one-out log likelihood plus log hyperprior.

    zero_shot [n,C] are cosines to the prototypes, span [n,r] = U S of the labeled rows, y [n]. The hyperprior is
    log-normal around `scale` and AMPLITUDE, so that a few labels change little; without labels both stay there.
    Without prototypes the centre is AMPLITUDE_BARE, and the only label of a class is not asked for: nobody could
    predict it from the others, and being wrong about it says nothing but "predict less".
    """
    # per coordinate: where the search starts, and its first step: towards where a poor prior needs to go
    centre = AMPLITUDE if bool(zero_shot.any()) else AMPLITUDE_BARE
    start = {"scale": math.log(scale), "amplitude": math.log(amplitude or centre)}
    step = {"scale": -1.0, "amplitude": 1.0}
    free = [name for name in start if name != "scale" or (fit_scale and bool(zero_shot.any()))]
    free = [name for name in free if name != "amplitude" or amplitude is None]
    asked = _predictable(zero_shot, y)
    if not free or not bool(asked.any()):
        return scale, math.exp(start["amplitude"])
    # a search needs three digits, and float32 halves its time
    zero_shot, span, gains = zero_shot.float(), span.float(), None if gains is None else gains.float()
    logit_weights = torch.zeros(span.shape[1], zero_shot.shape[1], dtype=span.dtype)  # [r,C] of the last mode

    def objective(point: np.ndarray) -> float:
        nonlocal logit_weights
        at = start | dict(zip(free, point.tolist(), strict=True))
        root = math.exp(0.5 * at["amplitude"])
        offset, phi = math.exp(at["scale"]) * zero_shot, root * span
        mode = find_mode(offset, phi, y, logit_weights / root, _SEARCH_TOLERANCE, gains)
        logit_weights = root * mode.weights
        penalty = ((at["scale"] - math.log(scale)) / _SCALE_SPREAD) ** 2
        penalty += ((at["amplitude"] - math.log(centre)) / _AMPLITUDE_SPREAD) ** 2
        return 0.5 * penalty - float(leave_one_out(offset, phi, y, mode, gains)[asked].sum())

    first = np.array([start[name] for name in free])
    simplex = np.vstack([first, first + np.diag([step[name] for name in free])])
    found = minimize(
        objective,
        first,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": 18, "xatol": 0.15, "fatol": 0.1},
    )
    best = start | dict(zip(free, found.x.tolist(), strict=True))
    return math.exp(best["scale"]), math.exp(best["amplitude"])


def _predictable(zero_shot: Tensor, y: Tensor) -> Tensor:
    """Which labels the others or the prior could predict, [n] bool."""
    if bool(zero_shot.any()) or not len(y):
        return torch.ones(len(y), dtype=torch.bool)
    return torch.bincount(y)[y] > 1


def leave_one_out(offset: Tensor, phi: Tensor, y: Tensor, mode: Mode, gains: Tensor | None = None) -> Tensor:
    """log p(y_i | the others) [n] at the cavity means; offset [n,C], phi [n,r], gains [C]."""
    mean, _ = cavity(offset, phi, y, mode, gains)
    return _log_likelihood(mean, y)


def cavity(
    offset: Tensor, phi: Tensor, y: Tensor, mode: Mode, gains: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance [n,C] of every image's logits once its own label is taken away."""
    probs = mode.probs
    g = torch.ones_like(probs[:1].sum(0)) if gains is None else gains
    slope = probs * (1 - probs)  # [n,C]
    variance = g.square() * _variances(phi @ phi.T, g.square() * slope)  # [n,C]
    # the posterior variance is below 1/slope in exact arithmetic; the clamp is for rounding alone
    without = variance / (1 - variance * slope).clamp(min=1e-9)
    mean = offset + (phi @ mode.weights) * g - without * (one_hot(y, offset.shape[1]) - probs)
    return mean, without


def _variances(gram: Tensor, weights: Tensor) -> Tensor:
    """Diagonals of ``(K⁻¹ + diag(w_c))⁻¹`` for each class, gram K [n,n], weights [n,C] -> [n,C].

    An image whose prediction is settled for a class says nothing about it: rows with w K_ii below
    `_NEGLIGIBLE` are left out, so that many classes cost little more than few. In float32.
    """
    exact, gram, weights = gram.dtype, gram.float(), weights.float()
    prior = gram.diagonal()  # [n]
    columns = []
    for weight in weights.unbind(1):
        active = (weight * prior > _NEGLIGIBLE).nonzero().squeeze(1)  # a of n
        root = weight[active].sqrt()
        rows = root.unsqueeze(1) * gram[active]  # [a,n]
        inner = rows[:, active] * root + torch.eye(len(active), dtype=gram.dtype)
        explained = torch.linalg.solve_triangular(torch.linalg.cholesky(inner), rows, upper=False)  # [a,n]
        columns.append(prior - explained.square().sum(0))
    return torch.stack(columns, 1).to(exact)


def choose_temperature(
    offset: Tensor, phi: Tensor, y: Tensor, mode: Mode, gains: Tensor | None = None
) -> float:
    """Temperature of the covariance: the posterior mean of its logarithm on a grid from 1 to 4⁻⁹.

    The likelihood is the leave-one-out predictive's, the prior flat. It is often nearly flat towards 0,
    where the posterior is a point; the mean keeps the spread that the labels do not reject. Without labels 1/1024,
    near which most sets settle.
    """
    asked = _predictable(offset, y)
    if not bool(asked.any()):
        return _TEMPERATURES[5]
    mean, variance = (each[asked] for each in cavity(offset, phi, y, mode, gains))
    scores = torch.stack(
        [
            _log_likelihood(mean / torch.sqrt(1 + math.pi / 8 * t * variance), y[asked]).sum()
            for t in _TEMPERATURES
        ]
    )
    weights = torch.softmax(scores, 0)
    return math.exp(sum(float(w) * math.log(t) for w, t in zip(weights, _TEMPERATURES, strict=True)))


def _log_likelihood(logits: Tensor, y: Tensor) -> Tensor:
    return torch.log_softmax(logits, dim=1).gather(1, y.unsqueeze(1)).squeeze(1)
