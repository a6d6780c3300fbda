"""Scale, amplitude and temperature of BayesAdapter by leave-one-out (`_leave_one_out`)."""

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

from probal.adapters._leave_one_out import cavity, leave_one_out, log_likelihood, question_weights
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
_LEAST = 8.0
"""Spreads below its centre to which the amplitude may fall: labels of which many are wrong should teach little."""
_PRECISION = 0.1
"""Of the search, in spreads."""
_SEARCH_TOLERANCE = 1e-2
_MAX_EVALUATIONS = 20
_MORE_EVALUATIONS = 10
"""From the last fit's answer on."""
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

    most = [_FARTHEST[name] for name in free]
    least = [-each for each in most]
    if "amplitude" in free and start is not None and first[-1] < least[-1]:
        least[-1] = -_LEAST  # the labels before were as bad

    def at(steps: np.ndarray) -> dict[str, float]:
        kept = np.clip(steps, least, most)
        return fixed | {
            name: centre[name] + spread[name] * step for name, step in zip(free, kept.tolist(), strict=True)
        }

    def objective(steps: np.ndarray) -> float:
        return search.objective(at(steps))

    if len(free) == 1:
        found = minimize_scalar(
            lambda step: objective(np.array([step])),
            bounds=(least[0], most[0]),
            method="bounded",
            options={"xatol": _PRECISION, "maxiter": _MAX_EVALUATIONS},
        )
        best = at(np.array([found.x]))
    else:
        reach, evaluations = (1.0, _MAX_EVALUATIONS) if start is None else (0.4, _MORE_EVALUATIONS)
        options: Any = {  # the stubs of scipy do not know this method's
            "initial_simplex": first - reach * np.eye(3, 2, -1),  # towards trusting neither
            "maxfev": evaluations,
            "xatol": _PRECISION,
            "fatol": _PRECISION,
        }
        best = at(minimize(objective, first, method="Nelder-Mead", options=options).x)
    edge = centre["amplitude"] - _AMPLITUDE_SPREAD * (_FARTHEST["amplitude"] - 2 * _PRECISION)
    if "amplitude" in free and least[-1] > -_LEAST and best["amplitude"] < edge:
        best = _further_down(search, best)
    return math.exp(best["scale"]), math.exp(best["amplitude"]), search.nearest(best)


def _further_down(search: _Search, best: dict[str, float]) -> dict[str, float]:
    """`best`, at the lower end of the search, or a point with less amplitude that is better."""

    def lower(step: float) -> dict[str, float]:
        return best | {"amplitude": search.centre["amplitude"] + _AMPLITUDE_SPREAD * step}

    found = minimize_scalar(
        lambda step: search.objective(lower(step)),
        bounds=(-_LEAST, -_FARTHEST["amplitude"]),
        method="bounded",
        options={"xatol": _PRECISION, "maxiter": _MAX_EVALUATIONS},
    )
    return lower(found.x) if found.fun < search.objective(best) else best


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
    return -0.5 * away**2 if -_LEAST - 1e-9 <= away <= _FARTHEST["amplitude"] + 1e-9 else -math.inf


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
        loss = penalty - float((1 - self.asked) @ log_likelihood(offset, self.y))  # of the prototypes alone
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
        [log_likelihood(mean / torch.sqrt(1 + math.pi / 8 * t * variance), y) @ asked for t in _TEMPERATURES]
    )
    weights = torch.softmax(scores.double(), 0)
    chosen = math.exp(sum(float(w) * math.log(t) for w, t in zip(weights, _TEMPERATURES, strict=True)))
    return min(chosen, _WIDEST / max(float(variance[asked > 0].median()), _WIDEST))
