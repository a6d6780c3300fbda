"""Summaries against random sampling, the page and the table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from probal.simulate.report import write_report
from probal.simulate.summary import groups, pairs, summarize, wins
from probal.simulate.table_file import write_parquet


def run(strategy: str, seed: int, accuracy: list[float], **more: Any) -> dict[str, Any]:
    flat = [0.1] * len(accuracy)
    return {
        "source": "pool", "encoder": "embedded", "strategy": strategy, "adapter": "bayes", "seed": seed,
        "batch_size": 10, "budget": 20, "conditions": {}, "labels": [10 * i for i in range(len(accuracy))],
        "confirmed": [5 * i for i in range(len(accuracy))],
        "accuracy": accuracy, "nll": flat, "ece": flat, "debiased_ece": flat, "seconds": flat, **more,
    }  # fmt: skip


RUNS = [
    run("auto", 0, [0.5, 0.7, 0.9]),
    run("auto", 1, [0.5, 0.6, 0.8]),
    run("auto", 2, [0.5, 0.8, 0.8]),
    run("random", 1, [0.5, 0.5, 0.6]),
    run("random", 0, [0.5, 0.6, 0.8]),
    run("random", 2, [0.5, 0.6, 0.7]),
]


def test_a_strategy_against_random():
    (group,) = groups(RUNS)
    auto, random = summarize(group)
    assert auto.area_gain is not None
    assert auto.area_gain.mean == pytest.approx((0.075 + 0.1 + 0.125) / 3)
    assert auto.final_gain is not None
    assert auto.final_gain.mean == pytest.approx(0.4 / 3)
    assert auto.label_ratio is not None
    assert auto.label_ratio.mean == pytest.approx(0.5)  # .7 after one of two batches
    assert (random.area_gain, random.label_ratio) == (None, None)
    assert auto.zero_shot.mean == 0.5
    (early, _) = summarize(group, 10)
    assert early.final.mean == pytest.approx(0.7)
    assert early.label_ratio is not None
    assert early.label_ratio.mean == 1  # one batch of one


def test_all_strategies_are_summed_up_to_the_label_that_each_got_to():
    """Defect: the table's `at N` was the first strategy's end."""
    short = [run("short", seed, [0.5, 0.6 + 0.01 * seed]) for seed in range(3)]
    auto, _, one = summarize(groups(RUNS + short)[0])
    assert (auto.budget, one.budget) == (10, 10)
    assert auto.final.mean == pytest.approx(0.7)
    assert auto.area.mean == pytest.approx(0.6)
    assert {each.budget for each in summarize(groups(RUNS + short)[0], 5)} == {5}


def test_without_random_there_is_no_gain():
    (auto,) = summarize(groups(RUNS[:3])[0])
    assert (auto.area_gain, auto.label_ratio) == (None, None)


def test_every_adapter_has_its_own_random():
    others = [run(each["strategy"], each["seed"], [0.1, 0.2, 0.3], adapter="linear") for each in RUNS]
    (group,) = groups(RUNS + others)
    assert list(group.series) == ["auto · bayes", "random · bayes", "auto · linear", "random · linear"]
    gain = {each.name: each.area_gain for each in summarize(group)}
    assert gain["auto · linear"] is not None
    assert gain["auto · linear"].mean == 0
    assert gain["random · linear"] is None


def test_another_tool_without_random_is_held_against_the_first():
    other = [run("tool/margin", seed, [0.5, 0.6, 0.7], adapter="logistic") for seed in range(3)]
    (group,) = groups(RUNS + other)
    assert group.baseline["tool/margin · logistic"] == "random · bayes"


def test_sources_and_batch_sizes_are_not_mixed():
    more = [run("auto", 0, [0.5, 0.6], source="other"), run("auto", 0, [0.5, 0.6], batch_size=20)]
    assert [(each.source, each.batch_size) for each in groups(RUNS + more)] == [
        ("pool", 10), ("other", 10), ("pool", 20)
    ]  # fmt: skip


def test_pairs_are_opposite_and_a_win_lies_above_zero():
    found = {(one, other): value for one, other, value in pairs(groups(RUNS)[0])}
    assert found.keys() == {("auto", "random"), ("random", "auto")}
    assert found["auto", "random"].mean == pytest.approx(-found["random", "auto"].mean)
    assert wins(found["auto", "random"])
    assert not wins(found["random", "auto"])
    alone = next(pairs(groups([RUNS[0], RUNS[4]])[0]))[2]  # one seed: no interval, so no win
    assert not wins(alone)


def test_the_page_needs_no_network_and_escapes_names(tmp_path: Path):
    page = tmp_path / "report.html"
    others = [{**each, "source": "<b>&other", "conditions": {}} for each in RUNS]
    write_report({"runs": [*RUNS, *others]}, page, [10, 20])
    text = page.read_text("utf-8")
    assert "<script src=" not in text
    assert text.count("Plotly.newPlot(") >= 8  # four pictures for each of two sources
    assert "<b>&other" not in text
    assert "&lt;b&gt;&amp;other" in text
    for told in ("Label ratios", "Pairwise", "Calibration error", "Seconds per round", "at 10", "at 20"):
        assert told in text
    assert re.search(r"<td class=win>\+10\.0", text)


def test_one_row_per_run_and_round(tmp_path: Path):
    write_parquet({"runs": [*RUNS, run("auto", 3, [0.5], conditions={"noise": 0.1})]}, tmp_path / "t.parquet")
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert len(table) == 6 * 3 + 1
    last = table.iloc[-1]
    assert (last["seed"], last["round"], last["labels"], last["conditions"]) == (3, 0, 0, '{"noise": 0.1}')
    assert table.query("strategy == 'auto' and seed == 1")["accuracy"].tolist() == [0.5, 0.6, 0.8]
