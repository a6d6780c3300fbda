"""Ways to make probabilities of the same labels: what each is, told by what it must and cannot do."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import calibration
from benchmarks.calibration import WAYS, labels_of, measure, one_seed
from probal.simulate import Source, split

AT = {way: k for k, way in enumerate(WAYS)}


def test_every_way_is_measured_in_both_places(source: Source) -> None:
    found = one_seed(source, "auto", 10, 40, 0)
    assert set(found) == {"test", "the rest"}
    for means in found.values():
        assert means.shape == (len(WAYS), 2)
        assert np.isfinite(means).all()


def test_no_factor_beats_the_one_that_the_measuring_labels_like_best(source: Source) -> None:
    task = split(source, 0)
    losses = [nll for _, nll in measure(task, labels_of(task, "random", 10, 40, 0)[-1])["test"]]
    assert all(losses[AT["best"]] <= losses[AT[way]] + 1e-3 for way in ("mode", "left out", "sharpness"))
    assert losses[AT["best"]] < losses[AT["mode"]]


@pytest.mark.parametrize(("without", "same"), [("sharpness", "covariance"), ("temperature", "sharpness")])
def test_the_adapter_without_one_part_is_the_other_alone(
    source: Source, monkeypatch: pytest.MonkeyPatch, without: str, same: str
) -> None:
    task = split(source, 0)
    rows = labels_of(task, "random", 10, 40, 0)[-1]
    whole = calibration.BayesAdapter

    def partial(scale: float, **given: object) -> object:
        nothing = {"sharpness": 1.0} if without == "sharpness" else {"temperature": 1e-9}
        return whole(scale, **(given or nothing))  # type: ignore[arg-type]

    monkeypatch.setattr(calibration, "BayesAdapter", partial)
    losses = [nll for _, nll in measure(task, rows)["test"]]
    assert losses[AT["adapter"]] == pytest.approx(losses[AT[same]], abs=1e-3)
