"""What the judges of the amplitude see: the labels' order and answers, and for one of them the measuring images."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import chosen_labels
from benchmarks.chosen_labels import AMPLITUDES, JUDGES, markdown, one
from probal.simulate import Source


def test_every_judge_chooses_from_the_grid_and_no_one_predicts_better_than_the_measuring_images(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[float] = []
    whole = chosen_labels.nll

    def watched(probs: np.ndarray, y: np.ndarray) -> float:
        losses.append(whole(probs, y))
        return losses[-1]

    monkeypatch.setattr(chosen_labels, "nll", watched)
    found = one(source, "auto", 10, [30, 60], 0)
    assert set(found) == {30, 60}
    assert all(tuple(judges) == JUDGES for judges in found.values())
    for judges, loss in zip(found.values(), np.array(losses).reshape(2, -1), strict=True):
        assert {judged.amplitude for name, judged in judges.items() if name != "the adapter"} <= set(
            AMPLITUDES
        )
        assert judges["the adapter"].amplitude > 0
        assert judges["measuring images"].amplitude == AMPLITUDES[int(loss.argmin())]
        assert all(0.5 < judged.accuracy <= 1 for judged in judges.values())


def test_too_few_labels_leave_out_the_judge_who_predicts_later_ones(source: Source) -> None:
    (judges,) = one(source, "random", 4, [8], 0).values()  # without class texts two a class only train
    assert "earlier labels" not in judges
    row = {"set": "s", "labels": 8, "strategy": "random", "judges": {n: [vars(j)] for n, j in judges.items()}}
    head, _, cells = markdown([row]).splitlines()
    assert head.count("|") == cells.count("|") == len(JUDGES) + 3
    assert cells.split("|")[5].strip() == "–"
