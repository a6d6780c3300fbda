"""The four ways in which labeling goes wrong, each played on vectors with all truths known: see `mistakes.py`.

Every function returns curves, one value per round each; `answers` is what people gave so far, those asked again
included, so that finding mistakes is paid for. Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from probal.adapters import load_adapter
from probal.evaluation import detect_drift, odd_annotators, suspicious_labels
from probal.gaussian import GaussianEmbedding
from probal.random import derive_seed
from probal.session.space import unit_rows
from probal.simulate import Conditions, Source, split
from probal.simulate.learner import Round
from probal.simulate.own import AdapterLearner
from probal.simulate.task import NO_CLASS, Task

BATCH, BUDGET = 10, 200
FOLDS = 5
CHECK_FROM, CHECK_EVERY = 100, 2
"""Answers before the first check, and rounds between two."""
SLIP = 0.02
"""Chance of each person to name any other class by accident."""
SEEN_BY_ALL = 5
"""Every fifth image is given to all three people."""
ADDED_AT, GROWS_AT = 5, 10
"""Rounds."""


@dataclass
class Loop:
    """A project in memory: what was said of which image, and the model of it."""

    x: np.ndarray  # [N,D] unit rows
    prototypes: np.ndarray  # [C,D]
    scale: float
    seed: int
    strategy: str
    known: np.ndarray  # classes on the list, in order
    said: dict[int, int] = field(default_factory=dict)
    """Row -> class, NO_CLASS where it was flagged."""

    def __post_init__(self) -> None:
        self._learner = AdapterLearner(self.strategy, "bayes")

    def learn(self) -> None:
        self._learner.fit(self._now())

    def choose(self, n: int) -> list[int]:
        return [int(row) for row in self._learner.query(self._now(), n)] if n > 0 else []

    def calls(self, x: np.ndarray) -> np.ndarray:
        """Class of each row of x [M,D], as the model has it."""
        return self.known[self._learner.predict_proba(x).argmax(1)]

    def doubted(self) -> list[int]:
        """Labeled rows whose label is likely wrong, worst first, by models that did not see it."""
        now = self._now()
        x, y = torch.from_numpy(now.x[now.rows]), torch.from_numpy(now.labels)
        adapter, prior = (
            load_adapter("bayes", self.scale),
            GaussianEmbedding(torch.from_numpy(now.prototypes)),
        )
        rng = np.random.default_rng(derive_seed("folds", self.seed, len(y)))
        fold = torch.tensor(rng.permutation(len(y)) % FOLDS)
        probs = torch.zeros(len(y), len(self.known))
        for k in range(FOLDS):
            posterior = adapter.fit(x[fold != k], y[fold != k], prior)
            probs[fold == k] = posterior.logits(x[fold == k]).predictive()
        return [int(now.rows[i]) for i in suspicious_labels(probs.double().numpy(), now.labels)]

    def _now(self) -> Round:
        rows = np.array([row for row, c in self.said.items() if c != NO_CLASS], np.int64)
        flagged = np.array([row for row, c in self.said.items() if c == NO_CLASS], np.int64)
        place = {int(c): i for i, c in enumerate(self.known)}
        labels = np.array([place[self.said[row]] for row in rows.tolist()], np.int64)
        return Round(self.x, rows, labels, flagged, self.prototypes[self.known], self.scale, self.seed)


def started(task: Task, seed: int, strategy: str, known: Iterable[int] | None = None) -> Loop:
    listed = range(len(task.known)) if known is None else known
    return Loop(task.pool_x, task.prototypes, task.scale, seed, strategy, np.array([*listed]))


def noise(source: Source, seed: int, strategy: str, wrong: float, check: bool) -> dict[str, list[Any]]:
    """People who err; with `check`, the labels that the model doubts are asked again, of someone careful."""
    task = split(source, seed, Conditions(noise=wrong))
    loop, answers, again = started(task, seed, strategy), 0, set[int]()
    curves: dict[str, list[Any]] = {
        "answers": [],
        "accuracy": [],
        "wrong_labels": [],
        "asked_again": [],
        "mended": [],
    }
    mended = rounds = 0
    while True:
        loop.learn()
        rows = list(loop.said)
        is_wrong = [loop.said[row] != task.pool_y[row] for row in rows]
        _add(curves, answers, float((loop.calls(task.eval_x) == task.eval_y).mean()))
        for name, value in {
            "wrong_labels": int(sum(is_wrong)),
            "asked_again": len(again),
            "mended": mended,
        }.items():
            curves[name].append(value)
        if answers >= BUDGET:
            return curves
        asked: list[int] = []
        if check and answers >= CHECK_FROM and rounds % CHECK_EVERY == 0:
            asked = [row for row in loop.doubted() if row not in again][:BATCH]
        for row in asked:
            again.add(row)
            mended += int(loop.said[row] != task.pool_y[row])
            loop.said[row] = int(task.pool_y[row])
        for row in loop.choose(BATCH - len(asked)):
            loop.said[row] = int(task.answers[row])
        answers, rounds = answers + BATCH, rounds + 1


def annotator(source: Source, seed: int, strategy: str, check: bool) -> dict[str, list[Any]]:
    """Three people in turn, the third of whom takes one class for another; every fifth image is seen by all.

    With `check`, whoever `odd_annotators` names is no longer trusted: what he called like the class he mistakes it
    for is asked again of the first. `named` counts namings of the right person and class, `misnamed` the others.
    """
    task = split(source, seed)
    loop, classes = started(task, seed, strategy), len(task.known)
    rng = np.random.default_rng(derive_seed("people", seed))
    mistaken, taken_for = (int(c) for c in rng.permutation(classes)[:2])
    given: list[tuple[str, int, int]] = []
    curves: dict[str, list[Any]] = {
        "answers": [],
        "accuracy": [],
        "named": [],
        "misnamed": [],
        "wrong_labels": [],
    }
    named, again, count = False, set[int](), 0

    def answer(person: int, row: int) -> int:
        truth = int(task.pool_y[row])
        if person == 2 and truth == mistaken:
            return taken_for
        slip = int((truth + rng.integers(1, classes)) % classes)
        return slip if rng.random() < SLIP else truth

    while True:
        loop.learn()
        odd = {(each.annotator, each.class_id) for each in odd_annotators(given)}
        named = named or ("2", mistaken) in odd
        _add(curves, len(given), float((loop.calls(task.eval_x) == task.eval_y).mean()))
        curves["named"].append(int(named))
        curves["misnamed"].append(len(odd - {("2", mistaken)}))
        curves["wrong_labels"].append(int(sum(c != task.pool_y[row] for row, c in loop.said.items())))
        if len(given) >= 2 * BUDGET:
            return curves
        if check and named:
            doubtful = {image for who, image, c in given if who == "2" and c == taken_for} - again
            for row in sorted(doubtful):
                given.append(("0", row, answer(0, row)))
                loop.said[row] = given[-1][2]
            again |= doubtful
        for row in loop.choose(BATCH):
            people = [0, 1, 2] if count % SEEN_BY_ALL == 0 else [count % 3]
            said = [answer(person, row) for person in people]
            given += [(str(person), row, c) for person, c in zip(people, said, strict=True)]
            loop.said[row] = max(said, key=said.count)
            count += 1


def added_class(source: Source, seed: int, strategy: str, late: bool) -> dict[str, list[Any]]:
    """A class that is listed in the fifth round only (`late`): until then its images are flagged, and stay so."""
    task = split(source, seed)
    classes = len(task.known)
    new = int(np.random.default_rng(derive_seed("added", seed)).integers(classes))
    loop = started(task, seed, strategy, [c for c in range(classes) if not late or c != new])
    curves: dict[str, list[Any]] = {"answers": [], "accuracy": [], "recall_new": []}
    for rounds in range(BUDGET // BATCH + 1):
        if late and rounds == ADDED_AT:
            loop.known = np.append(loop.known, new)
        loop.learn()
        hit = loop.calls(task.eval_x) == task.eval_y
        _add(curves, len(loop.said), float(hit.mean()))
        curves["recall_new"].append(float(hit[task.eval_y == new].mean()))
        for row in loop.choose(min(BATCH, BUDGET - len(loop.said))):
            truth = int(task.pool_y[row])
            loop.said[row] = truth if truth in loop.known else NO_CLASS
    return curves


def growing_pool(
    source: Source, seed: int, strategy: str, change: Callable[[np.ndarray], np.ndarray] | None
) -> dict[str, list[Any]]:
    """Half the pool is there; in the tenth round the other half comes, as `change` [M,D] -> [M,D] makes it.

    `accuracy` is on images as they were, `accuracy_new` on the same images changed; `warned` whether `detect_drift`
    warns when the images come (the same number in every round).
    """
    order = np.random.default_rng(derive_seed("growth", seed)).permutation(len(source.y))
    third = len(order) // 3
    first, later, measured = order[:third], order[third : 2 * third], order[2 * third :]
    centre = source.x[first].astype(np.float64).mean(0).astype(np.float32) if source.centred else None
    changed = change or (lambda x: x)
    pool_x = np.concatenate([unit_rows(source.x[first], centre), unit_rows(changed(source.x[later]), centre)])
    pool_y = np.concatenate([source.y[first], source.y[later]])
    found = detect_drift(pool_x[:third], pool_x[third:], np.random.default_rng(derive_seed("drift", seed)))
    prototypes = np.zeros((len(source.classes), source.x.shape[1]), np.float32)
    if source.text_x is not None:
        prototypes = unit_rows(source.text_x)
    known = np.arange(len(source.classes))
    loop = Loop(pool_x[:third], prototypes, source.scale, seed, strategy, known)
    curves: dict[str, list[Any]] = {
        "answers": [],
        "accuracy": [],
        "accuracy_new": [],
        "warned": [],
        "auc": [],
    }
    for rounds in range(BUDGET // BATCH + 1):
        if rounds == GROWS_AT:
            loop.x = pool_x
        loop.learn()
        y = source.y[measured]
        old, new = (
            float((loop.calls(unit_rows(x, centre)) == y).mean())
            for x in (source.x[measured], changed(source.x[measured]))
        )
        _add(curves, len(loop.said), old)
        curves["accuracy_new"].append(new)
        curves["warned"].append(int(found.warning is not None))
        curves["auc"].append(found.auc)
        for row in loop.choose(min(BATCH, BUDGET - len(loop.said))):
            loop.said[row] = int(pool_y[row])
    return curves


def one_pixel_right(x: np.ndarray) -> np.ndarray:
    """Digits [M,64] moved by a pixel, as if the scanner had been."""
    moved = np.zeros_like(x).reshape(-1, 8, 8)
    moved[:, :, 1:] = x.reshape(-1, 8, 8)[:, :, :-1]
    return moved.reshape(len(x), 64)


def _add(curves: dict[str, list[Any]], answers: int, accuracy: float) -> None:
    curves["answers"].append(answers)
    curves["accuracy"].append(accuracy)
