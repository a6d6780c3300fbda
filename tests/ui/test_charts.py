"""The figures say what was measured: no more, no less, and not in HTML."""

from __future__ import annotations

import pytest

from probal.evaluation import Projection
from probal.types import ClassInfo, Metric
from probal.ui.charts import accuracy_curve, class_balance, latest_per_labels


def point(labels: int, value: float, n: int = 40, name: str = "accuracy", round_index: int = 0) -> Metric:
    return Metric(name, value, value - 0.1, value + 0.1, n, labels, round_index, n < 30, {"source": "audit"})


def trace(figure, name: str):
    return next(one for one in figure.data if one.name == name)


def test_points_stand_at_their_labels_and_preliminary_ones_are_hollow() -> None:
    figure = accuracy_curve([point(20, 0.7), point(0, 0.5, n=12), point(10, 0.6, n=29)])
    line = trace(figure, "Accuracy")
    assert list(line.x) == [0, 10, 20]
    assert list(line.y) == [0.5, 0.6, 0.7]
    assert list(line.marker.symbol) == ["circle-open", "circle-open", "circle"]


def test_the_band_is_the_interval() -> None:
    band = trace(accuracy_curve([point(0, 0.5), point(10, 0.6)]), "95% interval")
    assert list(band.x) == [0, 10, 10, 0]
    assert list(band.y) == pytest.approx([0.6, 0.7, 0.5, 0.4])


def test_a_single_point_still_shows_its_interval() -> None:
    bands = [one for one in accuracy_curve([point(0, 0.5)]).data if one.name == "95% interval"]
    assert any(one.mode == "lines" and one.line.width > 1 for one in bands)


def test_the_state_before_any_label_is_the_start_line() -> None:
    (line,) = accuracy_curve([point(0, 0.52), point(10, 0.6)]).layout.shapes
    assert line.y0 == line.y1 == 0.52
    assert not accuracy_curve([point(10, 0.6)]).layout.shapes


def test_the_random_control_is_drawn_only_if_measured() -> None:
    control = point(16, 0.55, name="random_control_accuracy")
    assert list(trace(accuracy_curve([point(0, 0.5), control]), "Random choice").x) == [16]
    assert all(one.name != "Random choice" for one in accuracy_curve([point(0, 0.5)]).data)


def test_other_metrics_are_not_mixed_in_and_the_last_measurement_counts() -> None:
    metrics = [point(0, 0.5), point(0, 1.7, name="nll"), point(0, 0.6, round_index=1)]
    assert [one.value for one in latest_per_labels(metrics, "accuracy")] == [0.6]


def test_every_interval_lies_inside_the_axis() -> None:
    figure = accuracy_curve([point(0, 0.12), point(10, 0.9)])
    low, high = figure.layout.yaxis.range
    assert low <= 0.02
    assert high >= 1.0


def test_an_empty_curve_is_an_empty_figure() -> None:
    assert not accuracy_curve([]).data


def test_balance_keeps_the_order_counts_zero_and_shows_names_as_text() -> None:
    classes = [
        ClassInfo(7, "0", None, "0", 0),
        ClassInfo(8, "a <b>bold</b> & more", None, "1", 1),
        ClassInfo(9, "c", None, "2", 2),
    ]
    figure = class_balance(classes, {8: 4, 7: 2})
    assert list(figure.data[0].x) == [2, 4, 0]
    assert list(figure.layout.yaxis.ticktext) == ["0", "a &lt;b>bold&lt;/b> &amp; more", "c"]


def test_projections_stand_behind_the_last_point_with_their_intervals() -> None:
    figure = accuracy_curve([point(0, 0.5), point(10, 0.6)], [Projection(50, 0.1, 0.04, 0.12)])
    ahead = trace(figure, "Projected")
    assert list(ahead.x) == [10, 60]
    assert list(ahead.y) == pytest.approx([0.6, 0.7])
    assert ahead.error_y.array[1] == pytest.approx(0.02)
    assert ahead.error_y.arrayminus[1] == pytest.approx(0.06)
    assert all(one.name != "Projected" for one in accuracy_curve([point(0, 0.5)]).data)


def test_the_interval_for_every_look_is_outside_the_band() -> None:
    figure = accuracy_curve([point(0, 0.5), point(10, 0.6, round_index=1)], always=True)
    low, high = (list(one.y) for one in figure.data if one.name == "Holds at every look")
    assert all(a < b for a, b in zip(low, [0.4, 0.5], strict=True))
    assert all(a > b for a, b in zip(high, [0.6, 0.7], strict=True))


def test_other_projects_are_lines_of_their_own_colours() -> None:
    others = {name: [point(5, 0.7)] for name in "abcde"}
    figure = accuracy_curve([point(0, 0.5)], others=others, name="mine")
    assert trace(figure, "mine").line.color not in {trace(figure, name).line.color for name in others}
    assert len({trace(figure, name).line.color for name in "abcd"}) == 4
    assert list(trace(figure, "e").x) == [5]
