"""The loop with an oracle in the annotator's place: fit, measure, ask, and again until the budget is spent.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from probal.evaluation.metrics import accuracy, debiased_ece, ece, nll
from probal.simulate.learner import Learner, Round
from probal.simulate.task import NO_CLASS, Task
from probal.threads import single_thread

CURVES = ("labels", "confirmed", "accuracy", "nll", "ece", "debiased_ece", "seconds")
"""One value per round each, the state before any label first."""


@single_thread()
def play(task: Task, learner: Learner, batch_size: int, budget: int, seed: int) -> dict[str, list[Any]]:
    """Curves of one learner on one task, until the budget or the pool is spent; a flag costs a label.

    `confirmed` counts the labels that the model called as the oracle does before it was asked, so that a person
    would have confirmed them. Seconds are those of fitting and of choosing the next batch. Accuracy and calibration
    are over all measuring images; the NLL over those of classes known by then, since one unknown class would make it
    infinite.
    ValueError where a learner asks for rows that it may not have.
    """
    known = np.flatnonzero(task.known)
    rows: np.ndarray = np.empty(0, np.int64)  # all asked for, in order
    curves: dict[str, list[Any]] = {name: [] for name in CURVES}
    confirmed = 0
    while True:
        now = _round(task, rows, known, seed)
        started = time.perf_counter()
        learner.fit(now)
        room = min(batch_size, budget - len(rows), len(task.pool_x) - len(rows))
        picks = _checked(learner.query(now, room), now, room) if room > 0 else rows[:0]
        curves["seconds"].append(time.perf_counter() - started)
        curves["labels"].append(len(rows))
        curves["confirmed"].append(confirmed)
        for name, value in _measure(learner.predict_proba(task.eval_x), task, known).items():
            curves[name].append(value)
        if not len(picks):
            return curves
        rows = np.concatenate([rows, picks])
        met = task.answers[picks]
        confirmed += int((known[learner.predict_proba(task.pool_x[picks]).argmax(1)] == met).sum())
        # a class takes its place on the list when its first image is labeled
        new = [c for c in dict.fromkeys(met.tolist()) if c != NO_CLASS and c not in known]
        known = np.concatenate([known, np.array(new, np.int64)])


def _round(task: Task, rows: np.ndarray, known: np.ndarray, seed: int) -> Round:
    answers = task.answers[rows]
    place = np.full(len(task.known), NO_CLASS)
    place[known] = np.arange(len(known))
    labeled, flagged = rows[answers != NO_CLASS], rows[answers == NO_CLASS]
    labels = place[task.answers[labeled]]
    return Round(task.pool_x, labeled, labels, flagged, task.prototypes[known], task.scale, seed)


def _checked(picks: np.ndarray, now: Round, room: int) -> np.ndarray:
    """The picks, once it is clear that they are at most `room` free rows, each once."""
    if len(picks) > room or len(np.unique(picks)) != len(picks) or not np.isin(picks, now.free).all():
        raise ValueError(f"asked for {room} free rows, each once, the learner chose {picks.tolist()}")
    return picks.astype(np.int64)


def _measure(probs: np.ndarray, task: Task, known: np.ndarray) -> dict[str, float]:
    full = np.zeros((len(probs), len(task.known)))
    full[:, known] = probs
    listed = np.isin(task.eval_y, known)
    return {
        "accuracy": accuracy(full, task.eval_y),
        "nll": nll(full[listed], task.eval_y[listed]),
        "ece": ece(full, task.eval_y),
        "debiased_ece": debiased_ece(full, task.eval_y),
    }
