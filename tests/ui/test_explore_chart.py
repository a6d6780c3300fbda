import numpy as np
import pytest

from probal.explore import Catalog
from probal.types import ClassInfo
from probal.ui.explore_chart import COLORS, map_chart, selected_ids

CLASSES = [ClassInfo(7, "<b>cat", None, "1", 0), ClassInfo(9, "dog", None, "2", 1, color="#112233")]


def catalog() -> Catalog:
    """Five images: two predicted, two labeled by two people in two rounds, one off the map."""
    none = np.full(5, -1)
    return Catalog(
        images=(),
        ids=np.array([3, 5, 8, 13, 21]),
        class_ids=np.column_stack([[7, 9, -1, -1, 7], *[none] * 4]),
        p=np.zeros((5, 5), np.float32),
        entropy=np.array([0.1, 0.6, np.nan, np.nan, 0.2]),
        label=np.array([-1, -1, 9, 7, -1]),
        annotator=np.array([-1, -1, 1, 0, -1]),
        annotators=("ada", "bob"),
        round=np.array([-1, -1, 0, 1, -1]),
        flagged=np.zeros(5, bool),
        disagreement=np.zeros(5, bool),
        group=none,
        xy=np.array([[0, 0], [1, 0], [0, 1], [1, 1], [np.nan, np.nan]], np.float32),
    )


def drawn(color: str, rows: list[int] | None = None) -> dict[str, list[int]]:
    """Image ids by the name of their part."""
    wanted = np.arange(5) if rows is None else np.array(rows)
    figure = map_chart(catalog(), wanted, color, CLASSES)
    return {trace.name: trace.customdata.tolist() for trace in figure.data}


@pytest.mark.parametrize(
    ("color", "parts"),
    [
        ("Prediction", {"has a label": [8, 13], "&lt;b>cat": [3], "dog": [5]}),
        ("Label", {"no label": [3, 5], "&lt;b>cat": [13], "dog": [8]}),
        ("Uncertainty", {"has a label": [8, 13], "uncertainty": [3, 5]}),
        ("Annotator", {"no label": [3, 5], "ada": [13], "bob": [8]}),
        ("Round", {"no label": [3, 5], "round 1": [8], "round 2": [13]}),
    ],
)
def test_each_color_tells_the_images_apart(color: str, parts: dict[str, list[int]]) -> None:
    assert color in COLORS
    assert drawn(color) == parts


def test_what_a_filter_leaves_out_stays_faintly_on_the_map() -> None:
    assert drawn("Prediction", [1]) == {"not among those found": [3, 8, 13], "dog": [5]}


def test_a_class_keeps_its_own_color() -> None:
    figure = map_chart(catalog(), np.arange(5), "Prediction", CLASSES)
    assert {trace.name: trace.marker.color for trace in figure.data}["dog"] == "#112233"


def test_points_of_a_lasso_become_image_ids() -> None:
    event = {"selection": {"points": [{"customdata": 5}, {"customdata": [8]}, {"x": 1.0}]}}
    assert selected_ids(event) == [5, 8]
    assert selected_ids(None) == []
