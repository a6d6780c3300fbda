"""Projected gains against curves whose future is known, and the verdicts they lead to."""

import json

import numpy as np
import pytest

from probal.evaluation import StoppingAdvice, Verdict, project_gain, stopping_advice


def _hits(rng: np.random.Generator, labels: np.ndarray, m: int, limit: float, scale: float) -> np.ndarray:
    """Images that turn right once accuracy(n) = limit − 0.4/(1 + n/scale) passes their own threshold."""
    accuracy = limit - 0.4 / (1 + labels / scale)
    return rng.random(m)[None] < accuracy[:, None]


LABELS = np.arange(0, 200, 20)


def test_the_gain_of_a_known_curve_is_inside_its_interval():
    rng = np.random.default_rng(0)
    inside, replicates = 0, 60
    truth = 0.4 / (1 + 180 / 60) - 0.4 / (1 + 280 / 60)
    for _ in range(replicates):
        gain = project_gain(_hits(rng, LABELS, 150, 0.95, 60.0), LABELS.tolist(), rng)[1]
        assert gain.labels == 100
        assert gain.low <= gain.gain <= gain.high
        inside += gain.low <= truth <= gain.high
    assert inside / replicates > 0.7  # 80 % less two standard errors


def test_a_flat_curve_promises_little_and_a_steep_one_much():
    rng = np.random.default_rng(1)
    flat = project_gain(_hits(rng, LABELS, 400, 0.9, 2.0), LABELS.tolist(), rng)
    steep = project_gain(_hits(rng, LABELS, 400, 0.95, 400.0), LABELS.tolist(), rng)
    assert flat[-1].high < 0.02
    assert steep[-1].low > 0.03
    assert [each.labels for each in steep] == [50, 100, 200]
    assert steep[0].gain < steep[1].gain < steep[2].gain


def test_a_gain_never_leaves_the_scale():
    rng = np.random.default_rng(2)
    labels = [0, 5, 10, 15]
    climbing = rng.random(40)[None] < np.array([0.1, 0.4, 0.7, 0.99])[:, None]
    assert all(0 <= each.gain <= each.high <= 1 for each in project_gain(climbing, labels, rng))
    falling = climbing[::-1].copy()
    last = project_gain(falling, labels, rng)[-1]
    assert last.gain == 0
    assert last.low < 0 < last.high


def test_the_same_generator_gives_the_same_advice():
    hits = _hits(np.random.default_rng(3), LABELS, 90, 0.9, 50.0)
    first, second = (stopping_advice(hits, LABELS.tolist(), np.random.default_rng(4), 0.97) for _ in range(2))
    assert first == second


def test_verdicts():
    rng = np.random.default_rng(5)
    flat = _hits(rng, LABELS, 400, 0.9, 2.0)
    n = LABELS.tolist()
    stop = stopping_advice(flat, n, rng, agreement=0.99, round_index=9)
    assert stop.verdict is Verdict.CAN_STOP
    assert "200 more labels should add" in stop.sentence
    assert any("agree on 99.0%" in reason for reason in stop.reasons)
    assert stop.low < flat[-1].mean() < stop.high
    restless = stopping_advice(flat, n, rng, agreement=0.9, round_index=9)
    assert restless.verdict is Verdict.GO_ON
    assert "agreement" in restless.sentence
    assert stopping_advice(flat, n, rng, None).verdict is Verdict.GO_ON
    steep = stopping_advice(_hits(rng, LABELS, 400, 0.95, 400.0), n, rng, agreement=0.99)
    assert steep.verdict is Verdict.GO_ON
    assert "100 more labels" in steep.sentence
    few = stopping_advice(flat[:, :29], n, rng, 0.99)
    assert few.verdict is Verdict.TOO_EARLY
    # a test set that the user brought measures too, so it names no audit
    assert few.sentence.endswith("preliminary, measured on 29 images; 30 are wanted.")
    assert stopping_advice(flat[:3], n[:3], rng, 0.99).verdict is Verdict.TOO_EARLY
    perfect = np.ones((1, 900), bool)
    assert stopping_advice(perfect, [20], rng, None).verdict is Verdict.CAN_STOP


def test_advice_survives_json():
    rng = np.random.default_rng(6)
    advice = stopping_advice(_hits(rng, LABELS, 60, 0.9, 20.0), LABELS.tolist(), rng, 0.9, 9)
    assert StoppingAdvice.from_dict(json.loads(json.dumps(advice.to_dict()))) == advice


def test_bad_shapes():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="increasing"):
        project_gain(np.ones((4, 3), bool), [1, 2, 2, 3], rng)
    with pytest.raises(ValueError, match="booleans"):
        project_gain(np.ones((4, 3)), [1, 2, 3, 4], rng)
    with pytest.raises(ValueError, match="hits"):
        stopping_advice(np.ones((2, 3), bool), [1], rng)
