"""The interval of a projected gain: as wide as a paired difference, and right as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from probal.evaluation import project_gain
from probal.evaluation.learning_curve import paired_error

ROUNDS = np.arange(10) * 10
AHEAD = (50, 100, 200)


def drawn(rng: np.random.Generator, m: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Hits [R,m] of rounds whose accuracy jumps at the first labels, and the true gains of `AHEAD`.

    An image is hard or easy in all rounds; what else decides is alike in successive ones. The accuracy of each
    round, the coming one too, lies off the curve by `noise`.
    """
    start, end = rng.uniform(0.1, 0.4), rng.uniform(0.8, 0.95)
    scale, power = np.exp(rng.uniform(np.log(3), np.log(20))), rng.uniform(0.5, 1.5)
    n = np.concatenate([ROUNDS, ROUNDS[-1] + np.array(AHEAD)])
    accuracy = end - (end - start) * (1 + n / scale) ** -power + noise * rng.standard_normal(len(n))
    accuracy = accuracy.clip(0.02, 0.995)
    hard, own = rng.standard_normal(m), rng.standard_normal((len(ROUNDS), m))
    for r in range(1, len(ROUNDS)):
        own[r] = 0.8 * own[r - 1] + 0.6 * own[r]
    hits = ndtri(accuracy[: len(ROUNDS), None]) > np.sqrt(0.7) * hard + np.sqrt(0.3) * own
    return hits, accuracy[len(ROUNDS) :] - accuracy[len(ROUNDS) - 1]


@pytest.mark.parametrize(("m", "noise"), [(60, 0.01), (200, 0.01), (200, 0.02)])
def test_intervals_of_80_percent_hold_in_80_percent_at_least(m: int, noise: float) -> None:
    rng = np.random.default_rng(0)
    inside, curves = np.zeros(len(AHEAD)), 100
    for _ in range(curves):
        hits, truth = drawn(rng, m, noise)
        found = project_gain(hits, ROUNDS.tolist(), rng, AHEAD)
        inside += [each.low <= gain <= each.high for each, gain in zip(found, truth, strict=True)]
    assert (inside / curves > 0.72).all()  # 80 % less two standard errors


def test_a_jump_at_the_first_labels_does_not_make_a_later_gain_certain() -> None:
    rng = np.random.default_rng(1)
    n = np.arange(6) * 10
    accuracy = 0.95 - 0.5 / (1 + n / 5)
    hits = rng.random(100)[None] < accuracy[:, None]
    for each in project_gain(hits, n.tolist(), rng):
        # a normal interval of 80 %: 1.28 errors to either side, above at most what is missing to an accuracy of 1
        assert each.gain - each.low > 1.1 * paired_error(hits[-2], hits[-1], each.gain)
        assert each.high - each.low > 0.02


def test_the_paired_error_is_that_of_drawn_pairs() -> None:
    rng = np.random.default_rng(2)
    m, gained, lost = 150, 0.08, 0.03
    counts = rng.multinomial(m, [gained, lost, 1 - gained - lost], size=20_000)
    differences = (counts[:, 0] - counts[:, 1]) / m
    before = np.repeat([False, True, True], [12, 5, m - 17])  # about the expected counts: 12 gained, 4.5 lost
    after = np.repeat([True, False, True], [12, 5, m - 17])
    assert paired_error(before, after, gained - lost) == pytest.approx(differences.std(), rel=0.05)


def test_equal_answers_leave_an_error_and_a_gain_a_larger_one() -> None:
    same = np.ones(98, bool)
    assert paired_error(same, same, 0.0) == pytest.approx(np.sqrt(0.01 / 98))
    assert paired_error(same, same, 0.2) == pytest.approx(np.sqrt((0.2 - 0.04) / 98))
