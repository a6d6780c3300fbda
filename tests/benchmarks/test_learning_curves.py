"""The figure of the curves: which lines, and where its axis begins."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.learning_curves import main, panel
from probal.errors import UserError

FINAL = {"auto": 0.95, "random": 0.9, "tool/poor": 0.7, "tool/good": 0.92}


def runs(start: float = 0.5) -> pd.DataFrame:
    rows = []
    for (strategy, final), seed, at in product(FINAL.items(), (0, 1), (0, 10, 20)):
        accuracy = start + (final - start) * at / 20 + 0.01 * (1 - 2 * seed)
        last = 100.0 if at == 20 else 0.5
        rows.append(("set", strategy, seed, at, accuracy, last))
    return pd.DataFrame(rows, columns=["source", "strategy", "seed", "labels", "accuracy", "seconds"])


def test_of_the_peers_the_best_is_drawn_and_only_rounds_that_choose_count_as_seconds() -> None:
    found = panel("set", runs())
    assert [line.label for line in found.lines] == [
        "auto, 0.5 s a round", "random, 0.5 s a round", "good, 0.5 s a round",
    ]  # fmt: skip
    np.testing.assert_allclose(found.lines[0].mean, [0.5, 0.725, 0.95])
    assert all(low < mean for low, mean in zip(found.lines[0].low, found.lines[0].mean, strict=True))


def test_a_line_of_fewer_seeds_says_so() -> None:
    fewer = runs()
    fewer = fewer[(fewer["strategy"] != "tool/good") | (fewer["seed"] == 0)]
    assert [line.label[-7:] for line in panel("set", fewer).lines] == ["a round", "a round", "1 seeds"]


@pytest.mark.parametrize(("start", "bottom"), [(0.05, 0.0), (0.5, 0.4), (0.69, 0.6)])
def test_the_axis_begins_below_the_lowest_mean(start: float, bottom: float) -> None:
    assert panel("set", runs(start)).bottom == pytest.approx(bottom)


def test_a_file_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["learning_curves", "--runs", str(tmp_path / "no.parquet")])
    with pytest.raises(UserError, match="is not there"):
        main()


def test_every_set_becomes_a_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = pd.concat([runs(), runs().assign(source="a & b")])
    both.to_parquet(tmp_path / "runs.parquet")
    to = tmp_path / "curves.svg"
    monkeypatch.setattr(
        "sys.argv", ["learning_curves", "--runs", str(tmp_path / "runs.parquet"), "--svg", str(to)]
    )
    main()
    text = to.read_text("utf-8")
    assert "a &amp; b · 2 seeds" in text
    assert text.count("<polyline") == 6

    monkeypatch.setattr("sys.argv", [*sys.argv, "--sets", "a & b"])
    main()
    assert to.read_text("utf-8").count("<polyline") == 3
    monkeypatch.setattr("sys.argv", [*sys.argv[:-1], "c"])
    with pytest.raises(UserError, match="no runs of 'c'; there are those of set, a & b"):
        main()
