"""What the peers' bench adds of its own; the other tools are not installed for the tests."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks.peers.base import Classifier, Peer
from benchmarks.peers.registry import MakePeer, peers_of
from benchmarks.peers.run import best_settings, finalists, tried
from benchmarks.peers.table import against_peers
from probal.errors import UserError
from probal.simulate import Round, Task, play
from probal.simulate.code import code_digest


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


def test_baal_sees_every_coordinate_at_unit_variance(monkeypatch: pytest.MonkeyPatch):
    for name in ("baal", "baal.active", "baal.bayesian", "baal.bayesian.dropout"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["baal.active"].heuristics = None  # type: ignore[attr-defined]
    sys.modules["baal.bayesian.dropout"].MCDropoutModule = lambda network: network  # type: ignore[attr-defined]
    monkeypatch.delitem(sys.modules, "benchmarks.peers.baal_heuristics", raising=False)
    baal = import_module("benchmarks.peers.baal_heuristics")
    monkeypatch.delitem(sys.modules, "benchmarks.peers.baal_heuristics")
    x = np.random.default_rng(0).normal(1, [0.01, 0.1, 3], (50, 3)).astype(np.float32)
    x = np.hstack([x, np.full((50, 1), 0.3, np.float32)])
    nobody = np.empty(0, np.int64)
    peer = baal.Baal("bald", 0.2)
    peer.fit(Round(x, nobody, nobody, nobody, np.zeros((2, 4), np.float32), 15.0, 0))
    seen = peer._scaled(x).numpy()
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(seen.std(0), [1, 1, 1, 0], atol=1e-3)


def test_a_peer_has_one_name():
    """Defect: the settings tried were named by the tool, the runs by its package."""
    peer = MakePeer("bayesvlm", "bald", 100.0)
    assert tried({peer: {"p": 0.5}})[0]["peer"] == peer().identity()["strategy"] == "probal/bayesvlm-bald"
    kept = json.loads(
        (Path(__file__).parents[2] / "benchmarks/results/peers_settings.json").read_text("utf-8")
    )
    packages = {"scikit-activeml", "modAL-python", "small-text", "baal", "probal"}
    assert {each["peer"].split("/")[0] for each in kept["settings_tried"]} == packages


@pytest.mark.parametrize("file", ["play.py", "space.py", "random.py", "metrics.py"])
def test_a_peers_runs_are_done_again_when_the_bench_changes(monkeypatch: pytest.MonkeyPatch, file: str):
    before, real = Last("last", 1.0).identity()["code"], Path.read_bytes
    assert Last("last", 1.0).identity()["code"] == before
    monkeypatch.setattr(
        Path, "read_bytes", lambda self: real(self) + (b"# changed" if self.name == file else b"")
    )
    code_digest.cache_clear()
    after = Last("last", 1.0).identity()["code"]
    code_digest.cache_clear()
    assert after != before


def test_the_best_setting_is_one_for_all_sets():
    low, high, alone = (MakePeer("bayesvlm", *of) for of in (("x", 1.0), ("x", 10.0), ("y", 1.0)))
    areas = {low: {"p": 0.9, "q": 0.2}, high: {"p": 0.8, "q": 0.4}, alone: {"p": 0.1, "q": 0.1}}
    assert best_settings(areas) == {"probal/bayesvlm-x": high, "probal/bayesvlm-y": alone}


def test_finalists_are_the_best_over_all_and_of_each_set():
    a, b, c, d = (MakePeer("bayesvlm", name, 1.0) for name in "abcd")
    areas = {
        a: {"p": 0.9, "q": 0.8},
        b: {"p": 0.8, "q": 0.7},
        c: {"p": 0.1, "q": 0.9},
        d: {"p": 0.95},  # has no use for q
    }
    best = {peer.name: peer for peer in areas}
    assert finalists(best, areas, None) == [a, b, c, d]
    assert finalists(best, areas, 1) == [a, c, d]  # a over all, d the best on p, c on q
    assert finalists(best, areas, 2) == [a, b, c, d]


def run(source: str, strategy: str, seed: int, accuracy: list[float]) -> dict[str, object]:
    return {
        "source": source, "encoder": "e", "strategy": strategy, "adapter": "x", "batch_size": 10, "seed": seed,
        "labels": [0, 10], "accuracy": accuracy, "debiased_ece": [0, 0], "nll": [0, 0], "seconds": [0, 0],
    }  # fmt: skip


def test_auto_is_compared_with_the_best_peer_of_each_set():
    runs = [
        run(source, strategy, seed, [0.5, end + 0.02 * seed])
        for source, ends in {"p": (0.9, 0.7, 0.8), "q": (0.6, 0.8, 0.7)}.items()
        for strategy, end in zip(("auto", "t/a", "t/b"), ends, strict=True)
        for seed in range(2)
    ]
    runs += [run("p", "t/c", 0, [0.5, 0.5])]
    lines = against_peers(runs).splitlines()
    assert lines[2:6] == [
        "| auto | 2 | 70.5 | 55.5 | 2.0 |",
        "| t/a | 2 | 60.5 | 65.5 | 2.0 |",
        "| t/b | 2 | 65.5 | 60.5 | 2.0 |",
        "| t/c | 1 | 50.0 | – | – |",
    ]
    assert lines[-2:] == [
        "| p | t/b | +5.0 [+5.0, +5.0] | 2 |",
        "| q | t/a | -10.0 [-10.0, -10.0] | 2 |",
    ]


def test_an_unknown_tool_is_told():
    with pytest.raises(UserError, match="unknown tool 'weka'; known tools: scikit-activeml"):
        peers_of("weka")


def test_settings_can_be_named():
    assert {(peer.strategy, peer.setting) for peer in peers_of("bayesvlm", [7.0])} == {
        ("bald", 7.0),
        ("epig", 7.0),
    }
    assert {peer.setting for peer in peers_of("bayesvlm")} == {100.0, 10_000.0}
