"""The loop itself, played by learners that remember what they were shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from probal.simulate import Conditions, Round, Task, load_source, play, split
from probal.simulate.task import NO_CLASS
from tests.simulate.conftest import C, silent


class InOrder:
    """Asks for the first free rows; predicts by the nearest mean of labeled images."""

    def __init__(self, extra: int = 0) -> None:
        self.seen: list[Round] = []
        self._extra = extra

    def identity(self) -> dict[str, str]:
        return {"strategy": "in order", "adapter": "means"}

    def fit(self, now: Round) -> None:
        self.seen.append(now)
        means = [now.x[now.rows[now.labels == c]].sum(0) for c in range(len(now.prototypes))]
        self._means = np.array(means) + now.prototypes

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        z = np.exp(x @ self._means.T)
        return z / z.sum(1, keepdims=True)

    def query(self, now: Round, batch: int) -> np.ndarray:
        return now.free[: batch + self._extra]


def task(path: Path, conditions: Conditions) -> Task:
    return split(load_source(path, "embedded", None, None, silent), 0, conditions)


def test_what_a_learner_is_shown(path: Path) -> None:
    learner, clean = InOrder(), task(path, Conditions())
    curves = play(clean, learner, 7, 20, seed=5)
    assert curves["labels"] == [0, 7, 14, 20]
    assert [len(now.rows) for now in learner.seen] == [0, 7, 14, 20]
    last = learner.seen[-1]
    assert np.array_equal(last.labels, clean.pool_y[:20])
    assert last.seed == 5
    assert np.array_equal(last.free, np.arange(20, 200))
    assert curves["accuracy"][-1] > 0.5


def test_flags_cost_labels_and_teach_nothing(path: Path) -> None:
    learner, dirty = InOrder(), task(path, Conditions(outliers=2))
    curves = play(dirty, learner, 10, 30, seed=0)
    assert curves["labels"] == [0, 10, 20, 30]
    last = learner.seen[-1]
    assert np.array_equal(np.sort(np.concatenate([last.rows, last.flagged])), np.arange(30))
    assert (dirty.pool_y[last.flagged] == NO_CLASS).all()
    assert len(last.flagged) > 5
    assert (last.labels >= 0).all()


def test_a_class_joins_when_first_met(path: Path) -> None:
    learner, world = InOrder(), task(path, Conditions(unknown_classes=2))
    curves = play(world, learner, 1, 30, seed=0)
    sizes = [len(now.prototypes) for now in learner.seen]
    assert sizes[0] == 2
    assert sizes[-1] == C
    assert sizes == sorted(sizes)
    # the places on the list: the classes known at the start, then the others as they were met
    met = [int(c) for c in dict.fromkeys(world.pool_y[:30].tolist()) if not world.known[c]]
    order = [*np.flatnonzero(world.known).tolist(), *met]
    last = learner.seen[-1]
    assert np.array_equal(np.array(order)[last.labels], world.pool_y[:30])
    assert np.array_equal(last.prototypes, world.prototypes[order])
    # an image of a class not on the list cannot be right
    unlisted = ~world.known[world.eval_y]
    assert curves["accuracy"][0] <= 1 - unlisted.mean()
    assert max(curves["nll"]) < 10


def test_the_budget_ends_with_the_pool(path: Path) -> None:
    assert play(task(path, Conditions()), InOrder(), 150, 10_000, 0)["labels"] == [0, 150, 200]


def test_a_learner_that_asks_for_too_much_is_stopped(path: Path) -> None:
    with pytest.raises(ValueError, match="asked for 5 free rows"):
        play(task(path, Conditions()), InOrder(extra=1), 5, 20, 0)
