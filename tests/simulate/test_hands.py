"""Labels in seconds of a person: what is confirmed is quicker, and ratios follow the mean curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probal.simulate import Conditions, Hands, OwnLearner, load_source, play, split
from probal.simulate.compare import NEVER, curve, label_ratio_estimate
from probal.simulate.hands import Cost, cost, in_seconds
from tests.simulate.conftest import silent


def run(seed: int, accuracy: list[float], confirmed: list[int]) -> dict[str, Any]:
    return {"seed": seed, "labels": [0, 10, 20], "accuracy": accuracy, "confirmed": confirmed}


def costs(one: list[dict[str, Any]], two: list[dict[str, Any]] | None, hands: Hands) -> Cost:
    return cost(one, two, hands, 10, np.random.default_rng(0))


def test_confirming_is_quicker() -> None:
    hands = Hands(choose=4, confirm=1)
    assert hands.seconds([0, 10, 20], [0, 3, 12]).tolist() == [0, 7 * 4 + 3, 8 * 4 + 12]
    (told,) = in_seconds([run(0, [0.1, 0.2, 0.3], [0, 3, 12])], hands)["runs"]
    assert told["hand_seconds"] == [0, 31, 44]


def test_with_equal_seconds_the_ratio_is_that_of_labels() -> None:
    found = costs([run(0, [0.2, 0.6, 0.8], [0, 9, 9])], [run(0, [0.2, 0.3, 0.6], [0, 1, 1])], Hands(1, 1))
    assert found.ratio is not None
    assert found.ratio.mean == pytest.approx(0.5)
    assert found.area_gain is not None
    assert found.area_gain.mean == pytest.approx((0.4 + 0.7) / 2 - (0.25 + 0.45) / 2)


def test_of_unequal_curves_the_shared_labels_count_as_in_the_label_ratio() -> None:
    short = [{**run(s, [0.2, 0.6], [0, 3]), "labels": [0, 10]} for s in range(2)]
    long = [run(s, [0.2, 0.5, 0.9], [0, 1, 2]) for s in range(2)]
    for one, two in ((short, long), (long, short)):
        found = costs(one, two, Hands(1, 1)).ratio
        by_label = label_ratio_estimate(curve(one), curve(two), 10, np.random.default_rng(0))
        assert found is not None
        assert (found.mean, found.low, found.high) == pytest.approx(
            (by_label.mean, by_label.low, by_label.high)
        )


def test_what_is_called_right_saves_seconds_and_what_is_called_wrong_costs_them() -> None:
    one, two = [run(0, [0.2, 0.6, 0.8], [0, 0, 0])], [run(0, [0.2, 0.3, 0.6], [0, 10, 20])]
    hard = costs(one, two, Hands(choose=4, confirm=1))
    assert hard.ratio is not None
    assert hard.ratio.mean == pytest.approx(
        40 / 20
    )  # more seconds than random sampling took with its whole budget
    assert (hard.confirmed.mean, hard.seconds.mean) == (0, 80)
    assert costs(two, None, Hands(4, 1)).confirmed.mean == 1
    assert costs(two, None, Hands(4, 1)).ratio is None


def test_between_rounds_it_is_read_off_linearly_and_never_is_said() -> None:
    one, two = [run(0, [0.2, 0.4, 0.8], [0, 0, 0])], [run(0, [0.2, 0.3, 0.6], [0, 0, 0])]
    assert costs(one, two, Hands()).ratio.mean == pytest.approx(0.75)  # type: ignore[union-attr]
    assert costs([run(0, [0.2, 0.3, 0.5], [0, 0, 0])], two, Hands()).ratio.mean == NEVER  # type: ignore[union-attr]


def test_seeds_give_an_interval_about_the_ratio() -> None:
    one = [run(s, [0.2, 0.5 + 0.02 * s, 0.8], [0, 2, 4]) for s in range(4)]
    two = [run(s, [0.2, 0.4, 0.6 + 0.02 * s], [0, 5, 10]) for s in range(4)]
    found = costs(one, two, Hands()).ratio
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.mean <= found.high
    assert found.low < found.high


def test_a_run_counts_what_the_model_called_right_before_asking(path: Path) -> None:
    task = split(load_source(path, "embedded", None, None, silent), 0, Conditions())
    curves = play(task, OwnLearner("random", "zero-shot")(), 20, 200, 0)
    # a model that learns nothing is right as often as it is on the whole pool in the end
    learner = OwnLearner("random", "zero-shot")()
    play(task, learner, 1, 0, 0)
    right = learner.predict_proba(task.pool_x).argmax(1) == task.pool_y
    assert curves["confirmed"][0] == 0
    assert curves["confirmed"][-1] == right.sum()
