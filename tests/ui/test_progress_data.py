"""The tables behind the Progress page say what was measured."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from probal.evaluation import Projection
from probal.types import ClassInfo, Event, EventKind, Metric, StoredEvent
from probal.ui import progress_data
from probal.ui.figures import csv_of

CLASSES = [
    ClassInfo(7, "cat", None, "1", 0),
    ClassInfo(3, "dog", None, "2", 1),
    ClassInfo(9, "=cow", None, "3", 2),
]


def metric(name: str, value: float = 0.0, n: int = 40, round_index: int = 0, **detail: object) -> Metric:
    return Metric(name, value, None, None, n, 10 * round_index, round_index, n < 30, detail)


CONFUSION = metric("confusion", 0.3, 10, counts=[[7, 7, 3], [7, 3, 2], [3, 3, 4], [3, 99, 1]])


def test_confusion_follows_the_classes_order_and_drops_archived_ones() -> None:
    found = progress_data.confusion(CONFUSION, CLASSES)
    assert found.counts.tolist() == [[3, 2, 0], [0, 4, 0], [0, 0, 0]]
    table = progress_data.confusion_table(found)
    assert table.iloc[0].tolist() == ["cat", "dog", 2, 5]
    assert len(table) == 3


def test_classes_have_their_interval_and_untested_ones_none() -> None:
    found = progress_data.confusion(CONFUSION, CLASSES)
    table = progress_data.class_table(CLASSES, {7: 12}, found)
    cat, dog, cow = (table.iloc[i] for i in range(3))
    assert (cat["labels"], cat["accuracy"], cat["tested on"]) == (12, 0.6, 5)
    assert cat["low"] < 0.6 < cat["high"]
    assert (dog["accuracy"], dog["high"]) == (1.0, 1.0)
    assert np.isnan(cow["accuracy"])
    assert cow["tested on"] == 0


def test_the_interval_for_every_look_contains_the_one_for_one_look() -> None:
    point = Metric("accuracy", 0.8, 0.65, 0.9, 40, 20, 2)
    ((low, high),) = progress_data.always_valid([point])
    assert low < 0.65
    assert high > 0.9


def test_the_curves_table_has_projections_behind_the_last_point() -> None:
    points = [metric("accuracy", 0.5), metric("accuracy", 0.7, round_index=2)]
    table = progress_data.curve_table({"a": points}, [Projection(50, 0.1, 0.02, 0.15)], points[-1])
    assert table["labels"].tolist() == [0, 20, 70]
    assert table.iloc[-1][["accuracy", "low", "high"]].tolist() == pytest.approx([0.8, 0.72, 0.85])


def test_the_newest_rounds_measurement_counts() -> None:
    found = progress_data.latest([metric("x", 1, round_index=3), metric("x", 2, round_index=1)], "x")
    assert found is not None
    assert found.value == 1
    assert progress_data.latest([], "x") is None


def test_epistemic_is_the_rest() -> None:
    table = progress_data.uncertainty_table([metric("pool_uncertainty", 0.9, aleatoric=0.6)])
    assert table["epistemic"].tolist() == pytest.approx([0.3])


def stored(i: int, ms: int | None, kind: EventKind = EventKind.LABEL, active: bool = True) -> StoredEvent:
    return StoredEvent(i, Event(str(i), kind, "ada", duration_ms=ms), datetime.now(UTC), active)


def test_pace_counts_time_at_the_screen() -> None:
    events = [stored(i, 2000) for i in range(10)] + [stored(20 + i, 4000) for i in range(10)]
    other = [stored(40, None), stored(41, 10, EventKind.SKIP), stored(42, 10, active=False)]
    table = progress_data.pace_table(events + other)
    assert table["labels"].tolist() == [10, 20]
    assert table["labels per hour"].tolist() == pytest.approx([1800, 900])
    assert table["median seconds"].tolist() == [2, 4]
    away = progress_data.pace_table([stored(0, 10**8)])
    assert away["labels per hour"].tolist() == [30]
    assert progress_data.pace_table(other).empty


@pytest.mark.parametrize(
    ("value", "n", "bins", "told"),
    [
        (0.2, 12, [[0.9, 0.5, 12]], "too few"),
        (0.2, 100, [[0.9, 0.7, 100]], "surer than it should be"),
        (0.1, 100, [[0.6, 0.7, 100]], "more careful"),
        (-0.02, 100, [[0.7, 0.7, 100]], "at its word"),
    ],
)
def test_calibration_in_words(value: float, n: int, bins: list[list[float]], told: str) -> None:
    assert told in progress_data.calibration_sentence(metric("debiased_ece", value, n, bins=bins))


def test_numbers_leave_as_they_are_and_formulas_as_text() -> None:
    table = progress_data.class_table(CLASSES, {7: 1}, None)
    lines = csv_of(table).splitlines()
    assert lines[0] == "class,labels,accuracy,low,high,tested on"
    assert lines[1].startswith("cat,1,")
    assert not lines[3].startswith("=")
