"""The figures about the model draw what their tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd

from probal.types import ClassInfo
from probal.ui.model_charts import (
    confusion_matrix,
    pace_curve,
    per_class,
    reliability_diagram,
    uncertainty_curve,
)
from probal.ui.progress_data import Confusion, class_table

CLASSES = tuple(ClassInfo(i, name, None, None, i) for i, name in enumerate(("a", "<b>b</b>", "c")))
COUNTS = Confusion(CLASSES, np.array([[4, 1, 0], [3, 3, 0], [0, 0, 0]]))


def test_a_class_never_tested_has_no_point() -> None:
    (points,) = per_class(class_table(CLASSES, {}, COUNTS)).data
    assert list(points.x) == [0.8, 0.5]
    assert list(points.y) == [0, 1]
    assert all(points.error_x.arrayminus > 0)


def test_cells_are_shares_of_their_row_and_numbers_their_images() -> None:
    figure = confusion_matrix(COUNTS)
    cells, numbers = figure.data
    assert np.array(cells.z).tolist() == [[0.8, 0.2, 0], [0.5, 0.5, 0], [0, 0, 0]]
    assert list(zip(numbers.x, numbers.y, numbers.text, strict=True)) == [
        (0, 0, "4"), (1, 0, "1"), (0, 1, "3"), (1, 1, "3"),
    ]  # fmt: skip
    assert figure.layout.xaxis.ticktext[1] == "&lt;b>b&lt;/b>"


def test_numbers_are_left_out_where_they_would_not_fit() -> None:
    many = tuple(ClassInfo(i, str(i), None, None, i) for i in range(20))
    assert len(confusion_matrix(Confusion(many, np.eye(20, dtype=int))).data) == 1


def test_reliability_has_its_diagonal_and_intervals() -> None:
    table = pd.DataFrame(
        {
            "confidence": [0.6, 0.9],
            "accuracy": [0.5, 0.95],
            "low": [0.3, 0.8],
            "high": [0.7, 1.0],
            "images": [8, 32],
        }
    )
    diagonal, points = reliability_diagram(table).data
    assert (list(diagonal.x), list(diagonal.y)) == ([0, 1], [0, 1])
    assert list(points.x) == [0.6, 0.9]
    assert points.marker.size[0] < points.marker.size[1]


def test_lines_over_labels() -> None:
    table = pd.DataFrame({"labels": [0, 10], "total": [1.0, 0.5], "epistemic": [0.4, 0.1]})
    total, epistemic = uncertainty_curve(table).data
    assert (list(total.y), list(epistemic.y)) == ([1.0, 0.5], [0.4, 0.1])
    pace = pd.DataFrame({"labels": [10], "labels per hour": [900.0], "median seconds": [4.0]})
    assert list(pace_curve(pace).data[0].y) == [900]
