"""Many simulations: the JSON, pairing, determinism, and going on after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from probal.errors import UserError
from probal.simulate import Conditions, Source, load_source, record_beside, simulate
from probal.simulate.code import code_digest
from tests.simulate.conftest import silent


@pytest.fixture
def source(path: Path) -> Source:
    return load_source(path, "embedded", None, None, silent)


def test_the_json_of_the_design(source: Source) -> None:
    seen: list[tuple[int, int, str]] = []
    result = simulate(
        [source],
        ["auto", "random"],
        batch_sizes=[7],
        budget=20,
        seeds=2,
        progress=lambda *now: seen.append(now),
    )
    assert seen[-1] == (4, 4, "Simulating")
    assert (result["source"], result["encoder"]) == (source.name, "vectors")
    assert [(run["strategy"], run["seed"]) for run in result["runs"]] == [
        ("auto", 0), ("auto", 1), ("random", 0), ("random", 1)
    ]  # fmt: skip
    for run in result["runs"]:
        assert run["labels"] == [0, 7, 14, 20]
        for name in ("confirmed", "accuracy", "nll", "ece", "debiased_ece", "seconds"):
            assert len(run[name]) == 4
            assert np.isfinite(run[name]).all()
    by = {(run["strategy"], run["seed"]): run for run in result["runs"]}
    assert by["auto", 0]["accuracy"][0] == by["random", 0]["accuracy"][0]  # one split per seed
    assert by["auto", 0]["accuracy"][0] != by["auto", 1]["accuracy"][0]
    assert np.mean([run["accuracy"][-1] - run["accuracy"][0] for run in result["runs"]]) > 0.03
    assert json.loads(json.dumps(result)) == result


def test_a_run_is_repeatable_in_one_process_and_in_two(source: Source) -> None:
    worst = Conditions(noise=0.1, imbalance=3, duplicates=0.2, outliers=1, unknown_classes=1)
    first, second = (
        simulate(
            [source], ["auto", "random"], batch_sizes=[5], budget=15, seeds=1, conditions=worst, jobs=jobs
        )
        for jobs in (1, 2)
    )
    for one, other in zip(first["runs"], second["runs"], strict=True):
        for name in ("strategy", "labels", "accuracy", "nll", "ece"):
            assert one[name] == other[name]


def test_a_stopped_command_goes_on(source: Source, tmp_path: Path) -> None:
    record = record_beside(tmp_path / "curves.json")
    assert record == tmp_path / "curves.runs.jsonl"

    def go(seeds: int, **more) -> tuple[dict, list[int]]:
        done: list[int] = []
        result = simulate(
            [source], ["random"], seeds=seeds, budget=10, record=record, jobs=1,
            progress=lambda *now: done.append(now[0]), **more,
        )  # fmt: skip
        return result, done

    first, _ = go(2)
    again, done = go(2)
    assert done == [2]
    assert again == first
    more, done = go(3)
    assert done == [2, 3]
    assert more["runs"][:2] == first["runs"]
    # a process killed while writing: what it wrote of its line is ignored, and the next line stands alone
    whole = record.read_text("utf-8")
    record.write_text(whole[: whole.rindex("{") + 40], "utf-8")
    repaired, done = go(3)
    assert done == [2, 3]
    assert [run["accuracy"] for run in repaired["runs"]] == [run["accuracy"] for run in more["runs"]]
    assert go(3)[1] == [3]
    assert go(3, conditions=Conditions(noise=0.1))[1][0] == 0
    assert go(3, batch_sizes=[5])[1][0] == 0


def test_many_sources_adapters_and_batches(source: Source) -> None:
    other = Source("bare", "vectors", source.classes, source.x, source.y, None, None, None, 15.0, False)
    result = simulate(
        [source, other],
        ["random"],
        adapters=["zero-shot", "linear"],
        batch_sizes=[5, 10],
        budget=10,
        seeds=1,
        jobs=1,
    )
    assert result["source"] == f"{source.name}, bare"
    assert len({(run["source"], run["adapter"], run["batch_size"]) for run in result["runs"]}) == 8


def test_what_does_not_exist_is_told_before_any_work(source: Source, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown strategy"):
        simulate([source], ["random", "best"], record=tmp_path / "r.jsonl")
    with pytest.raises(UserError, match="needs a trained ProbVLM, and a simulation has none"):
        simulate([source], ["random", "probvlm"], record=tmp_path / "r.jsonl")
    with pytest.raises(UserError, match="unknown adapter"):
        simulate([source], ["random"], adapters=["svm"], record=tmp_path / "r.jsonl")
    with pytest.raises(UserError, match="jobs is a number"):
        simulate([source], ["random"], jobs=0, record=tmp_path / "r.jsonl")
    assert not (tmp_path / "r.jsonl").exists()


def test_the_code_digest_follows_imports_but_not_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    random, clusters = "probal.acquisition.cold_start", "probal.acquisition.batchbald"
    before = [code_digest((random,)), code_digest((clusters,))]
    real = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda self: real(self) + (b"# changed" if self.name == "clusters.py" else b"")
    )
    code_digest.cache_clear()
    after = [code_digest((random,)), code_digest((clusters,))]
    code_digest.cache_clear()
    assert before[0] != after[0]  # TypiClust stands beside random and reads the clusters
    assert before[1] == after[1]
