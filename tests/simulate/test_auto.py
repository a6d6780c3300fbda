"""`auto` against random sampling on drawn pools: with a good prior, a useless one and none, balanced and not."""

from __future__ import annotations

import numpy as np
import pytest

from probal.simulate import Conditions, OwnLearner, Source, play, split
from probal.simulate.compare import areas, curve

C, D, SEEDS, BATCH, BUDGET = 8, 24, 3, 8, 80


def source(texts: str, outliers: int = 0) -> Source:
    """600 images of eight overlapping classes, some far from all; texts near them, of the next class, or none."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(C, D))
    y = rng.integers(0, C, 600)
    x = centres[y] + 1.1 * rng.normal(size=(600, D))
    x[rng.permutation(600)[:outliers]] *= -1
    near = centres + 0.8 * rng.normal(size=(C, D))
    text = {"near": near, "wrong": np.roll(near, 1, axis=0), "none": None}[texts]
    unit = None if text is None else (text / np.linalg.norm(text, axis=1, keepdims=True)).astype(np.float32)
    names = tuple(f"c{k}" for k in range(C))
    return Source("drawn", "drawn", names, x.astype(np.float32), y, None, None, unit, 15.0, False)


@pytest.mark.parametrize(
    ("texts", "outliers", "conditions"),
    [
        ("near", 0, Conditions()),
        ("wrong", 0, Conditions()),
        ("none", 0, Conditions()),
        ("none", 0, Conditions(imbalance=10)),
        ("near", 60, Conditions()),
    ],
)
def test_auto_is_no_worse_than_random(texts: str, outliers: int, conditions: Conditions) -> None:
    drawn = source(texts, outliers)
    found = {}
    for strategy in ("auto", "random"):
        runs = [
            {
                "seed": seed,
                **play(split(drawn, seed, conditions), OwnLearner(strategy, "bayes")(), BATCH, BUDGET, seed),
            }
            for seed in range(SEEDS)
        ]
        found[strategy] = areas(curve(runs))
    gain = found["auto"] - found["random"]
    print(f"{texts}, {outliers} outliers, {conditions.as_dict()}: {100 * gain.mean():+.1f} points")
    assert gain.mean() > -0.005
