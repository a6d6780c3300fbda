from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probal.cli.simulate_report import area_under, curves, estimate, summarize, write_plot


def run(strategy: str, seed: int, accuracy: list[float]) -> dict:
    return {
        "strategy": strategy,
        "seed": seed,
        "labels": [10 * i for i in range(len(accuracy))],
        "accuracy": accuracy,
    }


RUNS = [
    run("auto", 0, [0.5, 0.7, 0.9]),
    run("auto", 1, [0.5, 0.6, 0.8]),
    run("auto", 2, [0.5, 0.8, 0.8]),
    run("random", 1, [0.5, 0.5, 0.6]),
    run("random", 0, [0.5, 0.6, 0.8]),
    run("random", 2, [0.5, 0.6, 0.7]),
]


def test_area_is_the_mean_height_of_the_curve():
    assert area_under([0, 10, 20], [0.5, 0.5, 0.5]) == pytest.approx(0.5)
    assert area_under([0, 20], [0.0, 1.0]) == pytest.approx(0.5)
    assert area_under([0, 10, 30], [0.0, 1.0, 1.0]) == pytest.approx((5 + 20) / 30)
    assert area_under([0], [0.4]) == 0.4


def test_interval_is_students():
    values = [0.1, 0.4, 0.2, 0.9]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = estimate(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert estimate([0.3]).low is None


def test_the_gain_over_random_is_paired_by_seed():
    auto, random = summarize(RUNS)
    differences = np.array([0.7 - 0.625, 0.625 - 0.525, 0.725 - 0.6])
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert auto.area_gain is not None
    assert auto.area_gain.mean == pytest.approx(differences.mean())
    assert auto.area_gain.low == pytest.approx(expected.low)
    assert auto.final_gain is not None
    assert auto.final_gain.mean == pytest.approx(np.mean([0.1, 0.2, 0.1]))
    assert random.area_gain is None
    assert auto.zero_shot.mean == 0.5


def test_without_random_there_is_no_gain():
    assert summarize(RUNS[:3])[0].area_gain is None


def test_curves_stop_where_the_shortest_run_does():
    labels, points = curves([run("auto", 0, [0.5, 0.7]), run("auto", 1, [0.4])], "auto")
    assert labels == [0]
    assert points[0].mean == pytest.approx(0.45)


def test_the_plot_needs_no_network(tmp_path):
    page = tmp_path / "plot.html"
    write_plot({"source": "pool", "encoder": "embedded", "runs": RUNS}, page)
    text = page.read_text("utf-8")
    assert "<script src=" not in text
    assert "Plotly.newPlot" in text
    assert text.count('"name":"auto"') == 1
