"""BayesAdapter's amplitude where leave-one-out alone errs, by labels predicted from earlier ones (`_later`).

Labels that a strategy chose, left out, ask for an amplitude several times too small. Labels predicted from earlier
ones do not, but fewer labels taught what predicts them. `compromise` goes half of the way to theirs, in logarithms
(benchmarks/chosen_labels.py, docs/bayesadapter.md).

With a good prior and many classes, most images that are to be called belong to classes without a label, and every
label of another class pulls at them. Leave-one-out sees too little of that: with 300 labels of 1,000 classes it is
0.12 nats an image too hopeful at an amplitude of 169 (benchmarks/leave_one_out.py), and the model falls below the
prior alone. There labels predicted from earlier ones have the last word, in `restrained`. A strategy picked them
where labels matter most, which speaks for too large an amplitude; so the smallest is taken that they do not tell
from the best, by one standard error (Breiman et al. 1984, §3.4.3) while half of the classes or more have no label,
and by less of one, in proportion, after.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from probal.adapters._later import predict_later

_WIDE = 4.0
_MOST_WIDE_STEPS = 4
_FEWEST = 64
"""Labels that must be predicted, as they count, for a restraint: fewer cannot tell a nat from chance."""
_STEP = 2.0
_MOST_STEPS = 14


def compromise(
    offset: Tensor,
    plain: Tensor,
    amplitude: float,
    y: Tensor,
    gains: Tensor,
    centre_labels: float | None,
    shift: Tensor,
    log_hyperprior: Callable[[float], float],
) -> float:
    """Geometric mean of the amplitude and of the one under which labels predicted from earlier ones are likeliest.

    That one is looked for from `amplitude` uphill in steps of a factor of four, then between the last three by a
    parabola: the likelihood, each label weighed by `Later.weights`, times the hyperprior. offset [n,C]; plain [n,n] =
    x̂x̂ᵀ before any centre is taken out; y [n] in the order in which the labels were given; gains [C]; centre_labels as
    in `predict_later`; shift [n,C]: representer weights of a mode times its amplitude, near which the searches begin.
    """

    def score(step: int) -> float:
        size = amplitude * _WIDE**step
        found = predict_later(offset, size * plain, y, gains, centre_labels, shift / size)
        if found is None or not math.isfinite(before := log_hyperprior(size)):
            return -math.inf
        return float(found.weights(offset, y) @ found.log_likelihood()) + before

    below, best, above = score(-1), score(0), score(1)
    step = 0
    while best < max(below, above) and abs(step) < _MOST_WIDE_STEPS:
        if above > below:
            step, below, best, above = step + 1, best, above, score(step + 2)
        else:
            step, below, best, above = step - 1, score(step - 2), below, best
    bend = below - 2 * best + above
    inside = 0.5 * (below - above) / bend if math.isfinite(bend) and bend < 0 else 0.0
    return float(amplitude * _WIDE ** ((step + min(max(inside, -1.0), 1.0)) / 2))


def restrained(
    offset: Tensor,
    plain: Tensor,
    amplitude: float,
    y: Tensor,
    gains: Tensor,
    centre_labels: float | None,
    shift: Tensor,
) -> float:
    """The amplitude, or a half, a quarter, … of it: the smallest that predicts later labels as well as the best.

    offset [n,C], not all zero; the other arguments as in `compromise`. Where every class has a label nothing is
    restrained.
    """
    unseen = 1 - len(y.unique()) / offset.shape[1]
    if unseen == 0 or len(y) <= _FEWEST:
        return amplitude
    asked: list[Tensor] = []
    chosen = amplitude
    for step in range(_MOST_STEPS + 1):
        size = amplitude / _STEP**step
        found = predict_later(offset, size * plain, y, gains, centre_labels, shift / size)
        if found is None:
            return amplitude
        weight = found.weights(offset, y)  # [m]
        if float(weight.sum()) < _FEWEST:
            return amplitude
        asked.append(weight * found.log_likelihood())
        less = max(asked, key=lambda each: float(each.sum())) - asked[-1]  # [m] than the best so far
        if float(less.sum()) > min(1.0, 2 * unseen) * float(less.std()) * len(less) ** 0.5:
            break
        chosen = size
    return chosen
