"""Tables made again from kept runs are those of the runs; where results go, a folder is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.label_ratio import markdown
from benchmarks.options import options
from benchmarks.ratio_tables import main, runs_of
from probal.errors import UserError
from probal.simulate import OwnLearner, Run, Source, do
from probal.simulate.play import CURVES
from probal.simulate.table_file import FACTS, write_parquet


@pytest.fixture
def runs(source: Source, tmp_path: Path) -> list[dict[str, Any]]:
    plan = [
        Run(source, OwnLearner(name, "linear"), 10, 20, seed)
        for name in ("margin", "random")
        for seed in (1, 0)
    ]
    return do(plan, tmp_path / "runs.jsonl", 1)


def test_kept_runs_come_back_and_give_the_same_tables(
    runs: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = tmp_path / "kept.parquet"
    write_parquet({"runs": runs}, kept)
    found = runs_of(kept)
    names = (*FACTS, "conditions", *CURVES)
    by_seed = sorted(runs, key=lambda run: (run["strategy"], run["seed"]))
    assert found == [{name: run[name] for name in names} for run in by_seed]

    monkeypatch.setattr("sys.argv", ["ratio_tables", "--runs", str(kept)])
    main()
    assert capsys.readouterr().out.startswith(markdown(runs, []))


def test_what_is_not_there_is_told(
    runs: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="is not there"):
        runs_of(tmp_path / "no.parquet")
    write_parquet({"runs": runs}, tmp_path / "kept.parquet")
    monkeypatch.setattr(
        "sys.argv", ["ratio_tables", "--runs", str(tmp_path / "kept.parquet"), "--sets", "other"]
    )
    with pytest.raises(UserError, match="no runs of 'other'; there are those of s"):
        main()


def test_the_folder_of_the_results_is_made(tmp_path: Path) -> None:
    out = tmp_path / "results" / "of today" / "pets"
    assert options("", 1).parse_args(["--out", str(out)]).out == out
    assert out.parent.is_dir()
