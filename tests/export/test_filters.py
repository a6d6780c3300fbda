"""Which labels leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probal.errors import UserError
from probal.export import ExportRow
from probal.export.filters import GIVEN, Filter

ROW = ExportRow("a.png", "00", "cat", 1, "ann", round=2, agreement=2 / 3)
ROWS = [
    ROW,
    replace(ROW, round=None),
    replace(ROW, round=0, annotator="bob"),
    replace(ROW, given="confirm", agreement=1.0),
    replace(ROW, role="audit", round=None),
]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (Filter(), [0, 1, 2, 3, 4]),
        (Filter(rounds=(2,)), [0, 3]),
        (Filter(rounds=(0, 2)), [0, 2, 3]),
        (Filter(annotators=("bob",)), [2]),
        (Filter(given=("confirm",)), [3]),
        (Filter(given=tuple(GIVEN)), [0, 1, 2, 3, 4]),
        (Filter(min_agreement=2 / 3), [0, 1, 2, 3, 4]),
        (Filter(min_agreement=0.7), [3]),
        (Filter(audit=False), [0, 1, 2, 3]),
        (Filter(rounds=(2,), annotators=("ann",), given=("label",)), [0]),
        (Filter(annotators=("nobody",)), []),
    ],
)
def test_all_conditions_hold_together(wanted: Filter, kept: list[int]) -> None:
    assert wanted.apply(ROWS) == [ROWS[i] for i in kept]


@pytest.mark.parametrize("wrong", [{"min_agreement": 1.5}, {"min_agreement": -0.1}, {"given": ("guess",)}])
def test_what_no_label_can_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError):
        Filter(**wrong)  # type: ignore[arg-type]
