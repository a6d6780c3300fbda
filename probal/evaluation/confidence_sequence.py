"""Confidence sequences for an accuracy: intervals that hold at all looks at once, however the looks were chosen.

The pointwise interval of `audit` is right once. Who looks after every batch and stops when he likes what he sees
needs more: with probability `level` the true share lies in every interval of the sequence. N is the number of
images drawn from, n of them drawn uniformly without replacement and labeled so far, A of the N are right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import lgamma

from probal.evaluation.audit import check_counts

_STEPS = 60
"""Halvings of [0, 1] for an infinite population."""


def anytime_interval(
    correct: int, n: int, population: int | None = None, level: float = 0.95
) -> tuple[float, float]:
    """The sequence's interval (low, high) at this look, for `correct` of `n` drawn ones out of `population`.

    The prior-posterior ratio of Waudby-Smith and Ramdas 2020 ("Confidence sequences for sampling without
    replacement", Theorem 3.1) with a uniform prior over A: `R_n(A) = m(data) / L_A(data)` is a non-negative
    martingale from 1 at the true A, so by Ville's inequality `R_n(A) < 1 / (1 − level)` at all n at once. `m` is the
    probability of the draws under the prior. L is log-concave in A, so the set is an interval. Without
    `population` the draws are independent and the parameter is their probability. (0, 1) for n = 0, and no
    width where everything was seen. Raises ValueError for counts that do not fit.
    """
    check_counts(correct, n, population, level)
    if n == 0:
        return 0.0, 1.0
    wrong = n - correct
    # log m − log 1/α; the uniform prior makes m the beta function
    least = lgamma(correct + 1) + lgamma(wrong + 1) - lgamma(n + 2) + math.log(1 - level)
    if population is None:

        def independent(p: float) -> bool:
            if not 0 < p < 1:
                return (wrong if p else correct) == 0  # the data are then certain, else impossible
            return correct * math.log(p) + wrong * math.log1p(-p) > least

        return _edge(independent, correct / n, 0.0), _edge(independent, correct / n, 1.0)
    rest = population - n

    def drawn(a: int) -> bool:
        ways = lgamma(a + 1) - lgamma(a - correct + 1)
        ways += lgamma(population - a + 1) - lgamma(population - a - wrong + 1)
        return ways + lgamma(rest + 1) - lgamma(population + 1) > least

    mode = min(max(correct * (population + 1) // n, correct), correct + rest)
    low = _last(drawn, mode, correct)
    return low / population, _last(drawn, mode, correct + rest) / population


def spent_level(look: int, level: float = 0.95) -> float:
    """The level for the `look`-th model measured (from 0), so that all models together keep `level`.

    Each round has another model with another accuracy, which a sequence for one parameter does not cover. The
    error 1 − level is spent as 1 / ((look + 1)(look + 2)), which sums to one over infinitely many looks.
    """
    if look < 0:
        raise ValueError(f"look must not be negative, got {look}")
    return 1 - (1 - level) / ((look + 1) * (look + 2))


def _last(inside: Callable[[int], bool], start: int, end: int) -> int:
    """The integer farthest from `start` towards `end` that is inside; `start` is."""
    if inside(end):
        return end
    while abs(end - start) > 1:
        middle = (start + end) // 2
        start, end = (middle, end) if inside(middle) else (start, middle)
    return start


def _edge(inside: Callable[[float], bool], start: float, end: float) -> float:
    if inside(end):
        return end
    for _ in range(_STEPS):
        middle = (start + end) / 2
        start, end = (middle, end) if inside(middle) else (start, middle)
    return end  # the outer side: an interval is rounded outwards
