"""Gain over seconds: with equal seconds it is herding, and quick answers draw it to images that are called right."""

from __future__ import annotations

import numpy as np

from benchmarks.per_second import PerSecond
from probal.simulate import AdapterLearner, Hands
from probal.simulate.learner import Round


def now() -> Round:
    rng = np.random.default_rng(0)
    centres, y = rng.normal(size=(3, 8)), rng.integers(0, 3, 120)
    x = centres[y] + rng.normal(size=(120, 8))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    rows = np.arange(12)
    return Round(x, rows, y[rows], np.array([12]), np.zeros((3, 8), np.float32), 15.0, 0)


def asked(learner: AdapterLearner) -> list[int]:
    learner.fit(now())
    return learner.query(now(), 8).tolist()


def test_with_equal_seconds_it_is_herding() -> None:
    assert asked(PerSecond(Hands(2, 2))) == asked(AdapterLearner("herding", "bayes"))


def test_quick_confirmation_draws_it_to_what_the_model_is_sure_of() -> None:
    def sureness(rows: list[int]) -> float:
        learner = AdapterLearner("herding", "bayes")
        learner.fit(now())
        return float(learner.predict_proba(now().x[rows]).max(1).mean())

    assert sureness(asked(PerSecond(Hands(10, 0.1)))) > sureness(asked(PerSecond(Hands(2, 2))))
