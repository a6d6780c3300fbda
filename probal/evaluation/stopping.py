"""When more labels stop paying: one verdict, one sentence, and the numbers it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from probal.evaluation.audit import PRELIMINARY_BELOW
from probal.evaluation.confidence_sequence import anytime_interval, spent_level
from probal.evaluation.learning_curve import FEWEST_ROUNDS, Projection, project_gain

WORTH = 0.02
"""A gain in accuracy below this is not worth the labels ahead."""
STEADY = 0.95
"""Share of the pool that two successive models must call the same before stopping is advised."""


class Verdict(StrEnum):
    """What to do next."""

    GO_ON = "go on"
    CAN_STOP = "can stop"
    TOO_EARLY = "too early to say"


@dataclass(frozen=True)
class StoppingAdvice:
    """Advice after a round; `dataclasses.asdict` of it is JSON-able and `from_dict` reads it back."""

    verdict: Verdict
    sentence: str
    reasons: tuple[str, ...]
    round_index: int
    labels: int
    """Labels that the model was fitted on."""
    n: int
    """Images it was measured on."""
    low: float
    """Ends of the confidence sequence of the accuracy, 95% over all rounds and looks together."""
    high: float
    agreement: float | None
    """Share of a sample of the pool to which this model and the last measured before it give the same class."""
    projected: tuple[Projection, ...]
    """Gains expected of the next labels; empty while it is too early."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": str(self.verdict)}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> StoppingAdvice:
        projected = tuple(Projection(**each) for each in kept["projected"])
        rest = {
            "verdict": Verdict(kept["verdict"]),
            "reasons": tuple(kept["reasons"]),
            "projected": projected,
        }
        return cls(**{**kept, **rest})


def stopping_advice(
    hits: ArrayLike,
    labels: Sequence[int],
    generator: np.random.Generator,
    agreement: float | None = None,
    round_index: int = 0,
) -> StoppingAdvice:
    """The advice after the last of the rounds in `hits` [R,m] booleans, fitted on `labels` [R], increasing.

    Stopping is advised when the accuracy is above 1 − WORTH at all looks together (confidence sequence), or
    when the fitted curve's next labels, all that are looked at, gain less than WORTH at the upper end of their
    interval and successive models agree on STEADY of the pool. Before 30 images that measure and four rounds it is
    too early. ValueError as `project_gain`.
    """
    right = np.asarray(hits)
    if right.ndim != 2 or right.shape[0] != len(labels) or not len(labels):
        raise ValueError(f"need hits [R,m] and labels [R], got {right.shape} and {len(labels)}")
    n, correct = right.shape[1], int(right[-1].sum())
    low, high = anytime_interval(correct, n, None, spent_level(round_index))
    reasons = [f"accuracy {low:.1%} to {high:.1%}, 95% over all rounds together, on {n} images"]
    if agreement is not None:
        reasons.append(f"this model and the one before agree on {agreement:.1%} of the pool")

    def advice(verdict: Verdict, sentence: str, projected: tuple[Projection, ...] = ()) -> StoppingAdvice:
        return StoppingAdvice(
            verdict, sentence, tuple(reasons), round_index, labels[-1], n, low, high, agreement, projected
        )

    if n < PRELIMINARY_BELOW:
        return advice(
            Verdict.TOO_EARLY,
            f"Too early to say: the accuracy is preliminary, measured on {n} images; {PRELIMINARY_BELOW} are wanted.",
        )
    if 1 - low <= WORTH:
        return advice(
            Verdict.CAN_STOP, f"You can stop: the accuracy is above {low:.1%}, whatever more labels bring."
        )
    if len(labels) < FEWEST_ROUNDS:
        return advice(
            Verdict.TOO_EARLY, f"Too early to say: {len(labels)} of {FEWEST_ROUNDS} rounds are there."
        )
    projected = project_gain(right, labels, generator)
    reasons += [
        f"{each.labels} more labels: {each.gain * 100:+.1f} points ({each.low * 100:.1f} to {each.high * 100:.1f})"
        for each in projected
    ]
    last = projected[-1]
    gain = f"{last.labels} more labels should add {last.gain * 100:.1f} points, at most {last.high * 100:.1f}"
    if last.high > WORTH:
        near = projected[len(projected) // 2]
        told = f"{near.labels} more labels should add about {near.gain * 100:.1f} points"
        return advice(
            Verdict.GO_ON, f"Go on: {told} ({near.low * 100:.1f} to {near.high * 100:.1f}).", projected
        )
    if agreement is None or agreement < STEADY:
        known = "is not known yet" if agreement is None else f"is {agreement:.0%}"
        return advice(
            Verdict.GO_ON,
            f"Go on: the agreement of the last two models {known}, {STEADY:.0%} is wanted.",
            projected,
        )
    return advice(Verdict.CAN_STOP, f"You can stop: {gain}.", projected)
