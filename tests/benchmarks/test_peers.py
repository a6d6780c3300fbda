"""What the peers' bench adds of its own; the other tools are not installed for the tests."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.peers.base import Classifier, Peer
from benchmarks.peers.registry import MakePeer, peers_of
from benchmarks.peers.run import best_settings
from probal.errors import UserError
from probal.simulate import Round, Task, play


class Last(Peer):
    """The free rows at the end; its package is one that is there."""

    package = "numpy"

    def choose(self, now: Round, batch: int, rng: np.random.RandomState) -> np.ndarray:
        return now.free[-batch:]


def test_a_classifier_answers_whatever_was_labeled():
    x = np.eye(4)
    nothing = Classifier(1.0).fit(x[:0], np.zeros(0, int), 3)
    np.testing.assert_allclose(nothing.predict_proba(x), 1 / 3)
    one = Classifier(1.0).fit(x[:2], np.array([2, 2]), 3)
    np.testing.assert_allclose(one.predict_proba(x), [[0, 0, 1]] * 4)
    assert not one.fitted
    two = Classifier(100.0).fit(x[:2], np.array([0, 2]), 3)
    probs = two.predict_proba(x)
    np.testing.assert_allclose(probs.sum(1), 1)
    assert probs[:2].argmax(1).tolist() == [0, 2]
    assert not probs[:, 1].any()


def test_a_peer_plays_by_the_same_rules():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    x = (2 * np.eye(3)[y] + rng.normal(size=(90, 3))).astype(np.float32)
    known = np.ones(3, bool)
    task = Task(x[:60], y[:60], y[:60], x[60:], y[60:], np.zeros((3, 3), np.float32), known, 15.0)
    curves = play(task, Last("last", 10.0), 10, 30, 0)
    assert curves["labels"] == [0, 10, 20, 30]
    assert curves["accuracy"][-1] > 0.6
    one, other = Last("last", 10.0).identity(), Last("last", 1.0).identity()
    assert one["strategy"] == other["strategy"] == "numpy/last"
    assert (one["adapter"], other["adapter"]) == ("logistic C=10", "logistic C=1")


def test_the_best_setting_is_one_for_all_sets():
    low, high, alone = MakePeer("a", "x", 1.0), MakePeer("a", "x", 10.0), MakePeer("a", "y", 1.0)
    areas = {low: {"p": 0.9, "q": 0.2}, high: {"p": 0.8, "q": 0.4}, alone: {"p": 0.1, "q": 0.1}}
    assert best_settings(areas) == {"a/x": high, "a/y": alone}


def test_an_unknown_tool_is_told():
    with pytest.raises(UserError, match="unknown tool 'weka'; known tools: scikit-activeml"):
        peers_of("weka")
