"""The CSV: safe in a spreadsheet, exact for a program."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probal.export import ExportRow, export_labels
from probal.export.csv_file import COLUMNS, neutralize, restore

DANGEROUS = "=+-@＝＋－＠\t\r\n"


@given(st.text() | st.text(alphabet="'=+-@\t\r\nab", max_size=6))
def test_neutralized_text_is_safe_and_comes_back(text: str) -> None:
    cell = neutralize(text)
    assert not cell or cell[0] not in DANGEROUS
    assert restore(cell) == text


@pytest.mark.parametrize("text", ["cat.png", "a=b", "it's", "'quoted'", "", "夏.png", "0001.png"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert neutralize(text) == text


def test_every_cell_comes_back_through_pandas(rows: list[ExportRow], tmp_path: Path) -> None:
    rows = [*rows, replace(rows[0], path="-\r\n\t=x.png", annotator='=HYPERLINK("http://x")', class_id=7)]
    export_labels(rows, tmp_path / "out", ["csv"], None)
    frame = pd.read_csv(tmp_path / "out" / "labels.csv", dtype=str, keep_default_na=False)
    assert tuple(frame.columns) == COLUMNS
    for row, (_, cells) in zip(sorted(rows, key=lambda row: row.path), frame.iterrows(), strict=True):
        assert restore(cells["path"]) == row.path
        assert restore(cells["annotator"]) == row.annotator
        assert int(cells["class_id"]) == row.class_id
        assert cells["round"] == ("" if row.round is None else str(row.round))
        assert row.labeled_at is not None
        assert pd.Timestamp(cells["labeled_at"]) == row.labeled_at
    with (tmp_path / "out" / "labels.csv").open(encoding="utf-8", newline="") as handle:
        assert all(not cell or cell[0] not in DANGEROUS for line in csv.reader(handle) for cell in line)


def test_a_path_that_is_no_utf8_is_no_stop(rows: list[ExportRow], tmp_path: Path) -> None:
    export_labels([replace(rows[0], path="caf\udce9.png")], tmp_path / "out", ["csv"], None)
    assert pd.read_csv(tmp_path / "out" / "labels.csv")["path"][0] == "caf\\udce9.png"
