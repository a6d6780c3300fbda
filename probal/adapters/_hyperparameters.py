"""Scale, amplitude and temperature of BayesAdapter by leave-one-out; nothing is held out, nothing refitted.

Leave-one-out at the mode (Rasmussen and Williams, 2006, §5.4.2 carried to Laplace): removing image i moves its
logits by one cavity step. With s_ic the posterior variance of its logit, w = π(1−π) its curvature and g = y−π::

    cavity variance  s / (1 − s w)          cavity mean  f − s g / (1 − s w)

The classes' coupling is dropped here; against refitting n times the log likelihood differs by at most 0.02 nats an
image, see benchmarks/hyperparameters.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize, minimize_scalar
from torch import Tensor
from torch.nn.functional import one_hot

from probal.adapters._dual import active_images
from probal.adapters._softmax_gp import Mode, find_mode

AMPLITUDE = (16.0, 512.0)
"""Centre of the amplitude's log-normal hyperprior while hardly a class has a label, and once each has: labels of
some classes pull images away from all the others, which nothing holds yet."""
AMPLITUDE_BARE = (256.0, 4096.0)
"""The same without any prototype: there is no prior to undo."""
_AMPLITUDE_SPREAD = math.log(4.0)
_SCALE_SPREAD, _SCALE_FREEDOM = 0.35, 3.0
"""Student's t for the scale: the encoder's own is a good guess, a few labels of easy classes say little about it;
where the class texts are useless it lets go."""
_FARTHEST = {"scale": 10.0, "amplitude": 4.0}
"""How far the search may go, in spreads of the hyperprior: labels that are told apart without an error would have
any amplitude, beyond what the arithmetic bears."""
_PRECISION = 0.1
"""Of the search, in spreads."""
_SEARCH_TOLERANCE = 1e-2
_MAX_EVALUATIONS = 20
_MORE_EVALUATIONS = 10
"""From the last fit's answer on."""
_SET = 64
"""Images per class that the search lets explain each other."""
_TEMPERATURES = tuple(4.0**-k for k in range(10))
_UNASKED = 4.0**-7
"""The temperature where no label can be asked: a higher one doubts every image after one label a class."""
_WIDEST = 0.5


@dataclass(frozen=True)
class Start:
    """Where a search begins: hyperparameters of an earlier fit, and representer weights [n,C] of the labeled rows."""

    scale: float
    amplitude: float
    representer: Tensor


def choose_hyperparameters(
    zero_shot: Tensor,
    gram: Tensor,
    y: Tensor,
    scale: float,
    fit_scale: bool,
    amplitude: float | None,
    gains: Tensor,
    has_prior: bool,
    start: Start | None = None,
) -> tuple[float, float, Tensor]:
    """Scale and amplitude with the largest leave-one-out log likelihood plus log hyperprior, and where to look for
    the mode there: representer weights times the amplitude [n,C].

    zero_shot [n,C] are cosines to the prototypes, gram [n,n] = XXᵀ of the labeled rows, y [n], gains [C]; has_prior:
    whether there is any prototype. The hyperprior is around `scale` and AMPLITUDE, so that a few labels change
    little; without labels both stay there. Without prototypes the centre is AMPLITUDE_BARE. How much each label
    counts is `question_weights`. `start` moves where the search begins, not what it looks for. In float32: a search
    needs three digits.
    """
    centre = {"scale": math.log(scale), "amplitude": math.log(_expected(y, len(gains), has_prior))}
    fixed = {"scale": math.log(scale)} if not (fit_scale and has_prior) else {}
    if amplitude is not None:
        fixed["amplitude"] = math.log(amplitude)
    free = [name for name in centre if name not in fixed]
    asked = question_weights(zero_shot, y)
    none = torch.zeros_like(zero_shot, dtype=torch.float32)
    if "amplitude" in free and not bool(asked.any()):
        fixed["amplitude"] = centre["amplitude"]
        free.remove("amplitude")
    if not free or not len(y):
        kept = centre | fixed
        return math.exp(kept["scale"]), math.exp(kept["amplitude"]), none
    zero_shot, gram, gains = zero_shot.float(), gram.float(), gains.float()
    begin, first = none, np.zeros(len(free))
    spread = {"scale": _SCALE_SPREAD, "amplitude": _AMPLITUDE_SPREAD}
    if start is not None:
        begin = start.amplitude * start.representer.float()
        there = {"scale": math.log(start.scale), "amplitude": math.log(start.amplitude)}
        first = np.array([(there[name] - centre[name]) / spread[name] for name in free])
    search = _Search(zero_shot, gram, y, gains, asked, centre, begin)

    def at(steps: np.ndarray) -> dict[str, float]:
        kept = np.clip(steps, [-_FARTHEST[name] for name in free], [_FARTHEST[name] for name in free])
        return fixed | {
            name: centre[name] + spread[name] * step for name, step in zip(free, kept.tolist(), strict=True)
        }

    def objective(steps: np.ndarray) -> float:
        return search.objective(at(steps))

    if len(free) == 1:
        found = minimize_scalar(
            lambda step: objective(np.array([step])),
            bounds=(-_FARTHEST[free[0]], _FARTHEST[free[0]]),
            method="bounded",
            options={"xatol": _PRECISION, "maxiter": _MAX_EVALUATIONS},
        )
        best = at(np.array([found.x]))
    else:
        reach, most = (1.0, _MAX_EVALUATIONS) if start is None else (0.4, _MORE_EVALUATIONS)
        options: Any = {  # the stubs of scipy do not know this method's
            "initial_simplex": first - reach * np.eye(3, 2, -1),  # towards trusting neither
            "maxfev": most,
            "xatol": _PRECISION,
            "fatol": _PRECISION,
        }
        best = at(minimize(objective, first, method="Nelder-Mead", options=options).x)
    return math.exp(best["scale"]), math.exp(best["amplitude"]), search.nearest(best)


def _expected(y: Tensor, classes: int, has_prior: bool) -> float:
    """Centre of the amplitude's hyperprior, before labels are weighed: by the share of classes among y [n]."""
    few, all_seen = AMPLITUDE if has_prior else AMPLITUDE_BARE
    share = len(y.unique()) / classes
    return few * (all_seen / few) ** share**4  # half of the way, in logarithms, at 84 % of the classes


def amplitude_hyperprior(y: Tensor, classes: int, has_prior: bool) -> Callable[[float], float]:
    """Log density of the amplitude up to a constant, minus infinity beyond where the arithmetic bears it; y [n]."""
    return partial(log_around, expected=_expected(y, classes, has_prior))


def log_around(amplitude: float, expected: float) -> float:
    """The same for a hyperprior that is centred at `expected`."""
    away = math.log(amplitude / expected) / _AMPLITUDE_SPREAD
    return -0.5 * away**2 if abs(away) <= _FARTHEST["amplitude"] + 1e-9 else -math.inf


class _Search:
    """The objective, which remembers its modes: the search at a new point begins at that of the nearest."""

    def __init__(
        self,
        zero_shot: Tensor,
        gram: Tensor,
        y: Tensor,
        gains: Tensor,
        asked: Tensor,
        centre: dict[str, float],
        begin: Tensor,
    ) -> None:
        self.zero_shot, self.gram, self.y, self.gains, self.asked = zero_shot, gram, y, gains, asked
        self.centre = centre
        self.begin = begin
        self.seen: list[tuple[dict[str, float], Tensor]] = []
        """Points and κ A [n,C] of their modes: it holds the labels' part of the logits where it is."""

    def objective(self, at: dict[str, float]) -> float:
        offset = math.exp(at["scale"]) * self.zero_shot
        off = (at["scale"] - self.centre["scale"]) / _SCALE_SPREAD
        penalty = 0.5 * (_SCALE_FREEDOM + 1) * math.log1p(off**2 / _SCALE_FREEDOM)
        penalty += 0.5 * ((at["amplitude"] - self.centre["amplitude"]) / _AMPLITUDE_SPREAD) ** 2
        loss = penalty - float((1 - self.asked) @ _log_likelihood(offset, self.y))  # of the prototypes alone
        return loss - float(self.asked @ self._left_out(at, offset)) if bool(self.asked.any()) else loss

    def _left_out(self, at: dict[str, float], offset: Tensor) -> Tensor:
        amplitude = math.exp(at["amplitude"])
        gram, begin = amplitude * self.gram, self.nearest(at) / amplitude
        mode = find_mode(offset, gram, self.y, begin, _SEARCH_TOLERANCE, self.gains)
        self.seen.append((at, amplitude * mode.representer))
        return leave_one_out(gram, self.y, mode, self.gains)

    def nearest(self, point: dict[str, float]) -> Tensor:
        def away(seen: tuple[dict[str, float], Tensor]) -> float:
            return sum((point[name] - value) ** 2 for name, value in seen[0].items())

        return min(self.seen, key=away)[1] if self.seen else self.begin


def question_weights(zero_shot: Tensor, y: Tensor) -> Tensor:
    """How much each label counts when it is left out and predicted from the others, [n] in [0, 1].

    The only label of a class, left out, is an image of a class without labels, and tells how such images fare. So
    together these count for as many images as one would expect of the classes that still have none, n (1 − S/C) with
    S of C classes seen, or for as many as the other labels if those are more. Else one label for each of 1,000
    classes would say no more than that 999 other labels do harm, and nothing would be learned from them. The rest of
    their weight asks the prototypes alone, which is about the scale. Where a class has no prototype, its column of
    zero_shot [n,C] all zero, nobody could predict its only label. y [n].
    """
    n, classes = zero_shot.shape
    count = torch.bincount(y, minlength=classes)
    only = count[y] == 1  # [n]
    singles = int(only.sum())
    expected = max(n * float((count == 0).float().mean()), n - singles)
    weight = torch.where(only, min(1.0, expected / max(singles, 1)), 1.0)
    bare = (zero_shot == 0).all(0)[y]  # of classes without a prototype
    return torch.where(only & bare, 0.0, weight)


def leave_one_out(gram: Tensor, y: Tensor, mode: Mode, gains: Tensor) -> Tensor:
    """log p(y_i | the others) [n] at the cavity means; gram K [n,n] amplitude included, y [n], gains [C].

    Per class only the max(64, 4n/C) images with the largest residual |y − π| explain each other and are moved:
    the others are settled, without them nothing changes. On those images of up to 64 labels it is exact.
    """
    n, classes = mode.probs.shape
    size = min(n, max(_SET, 4 * n // classes))
    residual = (one_hot(y, classes) - mode.probs).T  # [C,n]
    rows = residual.abs().topk(size, dim=1).indices  # [C,a]
    weight = (mode.probs * (1 - mode.probs)).T.gather(1, rows)  # [C,a]
    kernel = gains.square()[:, None, None] * gram[rows.unsqueeze(2), rows.unsqueeze(1)]  # [C,a,a]
    seen = kernel * weight.sqrt().unsqueeze(1)
    inner = seen * weight.sqrt().unsqueeze(2)
    inner.diagonal(dim1=1, dim2=2).add_(1)
    variance = kernel.diagonal(dim1=1, dim2=2) - _explained(inner, seen)  # [C,a]
    step = _without(variance, weight) * residual.gather(1, rows)
    mean = mode.logits - torch.zeros_like(residual).scatter(1, rows, step).T
    return _log_likelihood(mean, y)


def cavity(gram: Tensor, y: Tensor, mode: Mode, gains: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance [n,C] of every image's logits once its own label is taken away; see `leave_one_out`."""
    slope = mode.probs * (1 - mode.probs)  # [n,C]
    informs = active_images(slope, 0.95)
    variance = _variances(gram, slope, gains, informs)
    without = _without(variance, slope * informs)  # an image that was left out is out already
    residual = one_hot(y, mode.probs.shape[1]) - mode.probs
    return mode.logits - without * residual, without


def _without(variance: Tensor, weight: Tensor) -> Tensor:
    # the posterior variance is below 1/weight in exact arithmetic; the clamp is for rounding alone
    return variance / (1 - variance * weight).clamp(min=1e-6)


def _variances(gram: Tensor, weights: Tensor, gains: Tensor, informs: Tensor) -> Tensor:
    """Diagonals of ``(K_c⁻¹ + diag(w_c))⁻¹`` for each class, gram K [n,n], weights [n,C], K_c = g_c² K -> [n,C].

    Weights are taken where informs [n,C], and as zero elsewhere.
    """
    columns = []
    for c, gain in enumerate(gains.tolist()):
        rows = informs[:, c].nonzero().squeeze(1)
        root = gain * weights[rows, c].sqrt()
        seen = gram[:, rows] * root  # [n,a]
        inner = root.unsqueeze(1) * seen[rows]
        inner.diagonal().add_(1)
        columns.append(gain**2 * (gram.diagonal() - _explained(inner, seen)))
    return torch.stack(columns, 1)


def _explained(inner: Tensor, seen: Tensor) -> Tensor:
    """Diagonal of ``seen inner⁻¹ seenᵀ`` [...,m]; inner [...,a,a], seen [...,m,a]."""
    # solved from the right: a third of the time that torch takes from the left
    upper = torch.linalg.cholesky(inner).mT
    return torch.linalg.solve_triangular(upper, seen, upper=True, left=False).square().sum(-1)


def choose_temperature(zero_shot: Tensor, gram: Tensor, y: Tensor, mode: Mode, gains: Tensor) -> float:
    """Temperature of the covariance: the posterior mean of its logarithm on a grid from 1 to 4⁻⁹.

    The likelihood is the leave-one-out predictive's, the prior flat. It is often nearly flat towards 0,
    where the posterior is a point; the mean keeps the spread that the labels do not reject. Labels that a strategy
    chose reject too little: each is far from the others and hard, which a wide spread explains as well as anything.
    So half of the logits left out keep a variance of at most _WIDEST. Without labels to ask about it is _UNASKED.
    """
    asked = question_weights(zero_shot, y).to(gram.dtype)
    if not bool(asked.any()):
        return _UNASKED
    mean, variance = cavity(gram, y, mode, gains)
    scores = torch.stack(
        [_log_likelihood(mean / torch.sqrt(1 + math.pi / 8 * t * variance), y) @ asked for t in _TEMPERATURES]
    )
    weights = torch.softmax(scores.double(), 0)
    chosen = math.exp(sum(float(w) * math.log(t) for w, t in zip(weights, _TEMPERATURES, strict=True)))
    return min(chosen, _WIDEST / max(float(variance[asked > 0].median()), _WIDEST))


def _log_likelihood(logits: Tensor, y: Tensor) -> Tensor:
    return torch.log_softmax(logits, dim=1).gather(1, y.unsqueeze(1)).squeeze(1)
