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

from probal.adapters._later import LaterLabels

_WIDE = 4.0
_MOST_WIDE_STEPS = 4
_FEWEST = 64
"""Labels that must be predicted, as they count, for a restraint: fewer cannot tell a nat from chance."""
_STEP = 2.0
_MOST_STEPS = 14


def compromise(later: LaterLabels, amplitude: float, log_hyperprior: Callable[[float], float]) -> float:
    """Geometric mean of the amplitude and of the one under which labels predicted from earlier ones are likeliest.

    That one is looked for from `amplitude` uphill in steps of a factor of four, then between the last three by a
    parabola: the likelihood, each label as it weighs, times the hyperprior.
    """

    def score(step: int) -> float:
        size = amplitude * _WIDE**step
        before = log_hyperprior(size)
        found = later.at(size) if math.isfinite(before) else None
        return -math.inf if found is None else float(found.weights @ found.log_likelihood()) + before

    best = score(0)  # the other two begin at its modes
    below, above = score(-1), score(1)
    step = 0
    while best < max(below, above) and abs(step) < _MOST_WIDE_STEPS:
        if above > below:
            step, below, best, above = step + 1, best, above, score(step + 2)
        else:
            step, below, best, above = step - 1, score(step - 2), below, best
    bend = below - 2 * best + above
    inside = 0.5 * (below - above) / bend if math.isfinite(bend) and bend < 0 else 0.0
    return float(amplitude * _WIDE ** ((step + min(max(inside, -1.0), 1.0)) / 2))


def restrained(later: LaterLabels, amplitude: float) -> float:
    """The amplitude, or a half, a quarter, … of it: the smallest that predicts later labels as well as the best.

    For a model with a prior. Where every class has a label nothing is restrained.
    """
    unseen = 1 - len(later.y.unique()) / later.offset.shape[1]
    if unseen == 0 or len(later.y) <= _FEWEST:
        return amplitude
    asked: list[Tensor] = []
    chosen = amplitude
    for step in range(_MOST_STEPS + 1):
        size = amplitude / _STEP**step
        found = later.at(size)
        if found is None or float(found.weights.sum()) < _FEWEST:
            return amplitude
        asked.append(found.weights * found.log_likelihood())
        less = max(asked, key=lambda each: float(each.sum())) - asked[-1]  # [m] than the best so far
        if float(less.sum()) > min(1.0, 2 * unseen) * float(less.std()) * len(less) ** 0.5:
            break
        chosen = size
    return chosen
