"""What the Progress page draws, as tables: from the store's measurements, without Streamlit or torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from probal.evaluation import (
    PRELIMINARY_BELOW,
    Projection,
    accuracy_interval,
    anytime_interval,
    spent_level,
)
from probal.pace import LONGEST_MS
from probal.types import ClassInfo, EventKind, Metric, Project, StoredEvent

CONFUSION, CALIBRATION, UNSURE = "confusion", "debiased_ece", "pool_uncertainty"
BLOCKS = 20
_GIVEN = (EventKind.LABEL, EventKind.CONFIRM, EventKind.ADJUDICATE)


def series_names(projects: Sequence[Project]) -> list[str]:
    """What the projects of one chart are called: by name, and by strategy or encoder where these differ."""
    differing = [
        field
        for field in ("strategy", "encoder")
        if len({getattr(each.config, field) for each in projects}) > 1
    ]
    return [
        f"{each.name} ({', '.join(getattr(each.config, field) for field in differing)})"
        if differing
        else each.name
        for each in projects
    ]


@dataclass(frozen=True)
class Confusion:
    """Counts [C,C] of tested images: row the label, column what the model called it."""

    classes: tuple[ClassInfo, ...]
    counts: np.ndarray  # [C,C]


def latest(metrics: Sequence[Metric], name: str) -> Metric | None:
    """The measurement of the newest round."""
    return max(
        (each for each in metrics if each.name == name), key=lambda each: each.round_index, default=None
    )


def always_valid(points: Sequence[Metric]) -> list[tuple[float, float]]:
    """Interval of each accuracy that holds at all rounds and looks together (95%)."""
    return [
        anytime_interval(round(each.value * each.n), each.n, None, spent_level(each.round_index))
        for each in points
    ]


def curve_table(
    series: Mapping[str, Sequence[Metric]], projected: Sequence[Projection] = (), start: Metric | None = None
) -> pd.DataFrame:
    """Points of the curve by name of the line; projections stand after the point `start`."""
    rows = [
        (name, each.labels, each.value, each.low, each.high, each.n, each.preliminary)
        for name, points in series.items()
        for each in points
    ]
    if start is not None:
        for each in projected:
            value, low, high = (start.value + gain for gain in (each.gain, each.low, each.high))
            rows.append(("Projected", start.labels + each.labels, value, low, high, 0, False))
    names = ["series", "labels", "accuracy", "low", "high", "images", "preliminary"]
    return pd.DataFrame(rows, columns=names)


def confusion(metric: Metric, classes: Sequence[ClassInfo]) -> Confusion:
    """The measured counts over the classes in use; a class archived since is left out."""
    position = {each.id: i for i, each in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), int)
    for own, called, n in metric.detail["counts"]:
        if own in position and called in position:
            counts[position[own], position[called]] = n
    return Confusion(tuple(classes), counts)


def confusion_table(found: Confusion) -> pd.DataFrame:
    """The pairs that occur, the wrong ones first and by number."""
    names = [each.name for each in found.classes]
    tested = found.counts.sum(1)
    rows = [
        (names[i], names[j], int(found.counts[i, j]), int(tested[i]))
        for i, j in zip(*np.nonzero(found.counts), strict=True)
    ]
    rows.sort(key=lambda row: (row[0] == row[1], -row[2], row[0], row[1]))
    return pd.DataFrame(rows, columns=["label", "called", "images", "of"])


def class_table(
    classes: Sequence[ClassInfo], labels: Mapping[int, int], found: Confusion | None
) -> pd.DataFrame:
    """Per class: labels given, and the accuracy with its 95% interval on the tested images of that class."""
    rows = []
    for i, each in enumerate(classes):
        tested = 0 if found is None else int(found.counts[i].sum())
        right = 0 if found is None else int(found.counts[i, i])
        low, high = accuracy_interval(right, tested) if tested else (None, None)
        share = right / tested if tested else None
        rows.append((each.name, labels.get(each.id, 0), share, low, high, tested))
    return pd.DataFrame(rows, columns=["class", "labels", "accuracy", "low", "high", "tested on"])


def calibration_table(metric: Metric) -> pd.DataFrame:
    """Bins of the reliability diagram with the interval of each share of hits."""
    rows = []
    for confidence, hits, n in metric.detail["bins"]:
        low, high = accuracy_interval(round(hits * n), n)
        rows.append((confidence, hits, low, high, n))
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "low", "high", "images"])


def uncertainty_table(metrics: Sequence[Metric]) -> pd.DataFrame:
    """Mean uncertainty of the unlabeled pool by labels given, nats; of several at one count the last."""
    points = {each.labels: each for each in metrics if each.name == UNSURE}
    rows = [
        (n, each.value, each.detail["aleatoric"], each.value - each.detail["aleatoric"], each.n)
        for n, each in sorted(points.items())
    ]
    return pd.DataFrame(rows, columns=["labels", "total", "aleatoric", "epistemic", "images"])


def pace_table(events: Sequence[StoredEvent]) -> pd.DataFrame:
    """Labels per hour of work in successive blocks of labels; empty where no label came with its time.

    An hour of work is the time that the images were on the screen, two minutes at most for each.
    """
    spent = [
        min(each.event.duration_ms, LONGEST_MS)
        for each in events
        if each.active and each.event.kind in _GIVEN and each.event.duration_ms
    ]
    size = max(10, -(-len(spent) // BLOCKS))
    blocks = [spent[i : i + size] for i in range(0, len(spent), size)]
    if len(blocks) > 1 and len(blocks[-1]) < size // 2:
        blocks[-2:] = [blocks[-2] + blocks[-1]]
    upto = np.cumsum([len(block) for block in blocks])
    rows = [
        (int(n), 3.6e6 * len(block) / sum(block), float(np.median(block)) / 1000)
        for n, block in zip(upto, blocks, strict=True)
    ]
    return pd.DataFrame(rows, columns=["labels", "labels per hour", "median seconds"])


def calibration_sentence(metric: Metric) -> str:
    """What the calibration error means, in words."""
    if metric.n < PRELIMINARY_BELOW:
        return f"Measured on {metric.n} images so far: too few to judge, {PRELIMINARY_BELOW} are wanted."
    off = 100 * metric.value
    if off < 1:
        return "The model's confidence can be taken at its word: it is off by no more than chance makes it."
    sure = sum(confidence * n for confidence, _, n in metric.detail["bins"]) / metric.n
    right = sum(hits * n for _, hits, n in metric.detail["bins"]) / metric.n
    way = "surer than it should be" if sure > right else "more careful than it need be"
    return f"The stated confidence is off by {off:.1f} points beyond chance; on the whole the model is {way}."
