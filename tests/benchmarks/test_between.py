"""What a change did, run by run: pairs, signs and what cannot be compared."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.between import main, markdown
from probal.errors import UserError


def rounds(better: float = 0.0, seeds: int = 3, labels: tuple[int, ...] = (0, 10, 20)) -> pd.DataFrame:
    rows = [
        (
            "set",
            "auto",
            "bayes",
            "clean",
            seed,
            at,
            0.5 + 0.01 * at + 0.1 * seed + better * (at > 0),
            0.02,
            1.0,
        )
        for seed, at in product(range(seeds), labels)
    ]
    names = [
        "source",
        "strategy",
        "adapter",
        "conditions",
        "seed",
        "labels",
        "accuracy",
        "debiased_ece",
        "nll",
    ]
    return pd.DataFrame(rows, columns=names).sample(frac=1, random_state=0)


def test_differences_are_paired_by_seed() -> None:
    """Seeds are 10 points apart and every one gains 3 at the last two of three rounds: an area of 2.25."""
    row = markdown(rounds(), rounds(0.03)).splitlines()[-1]
    assert row == (
        "| set | auto | 3 | 70.0 +2.25 [+2.25, +2.25] | 80.0 +3.00 [+3.00, +3.00] "
        "| 2.0 +0.00 [+0.00, +0.00] | 1.000 +0.0000 [+0.0000, +0.0000] |"
    )


def test_only_seeds_of_both_count() -> None:
    assert "| set | auto | 1 | 60.0 +2.25 |" in markdown(rounds(seeds=1), rounds(0.03))


def test_what_cannot_be_compared_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no set, strategy"):
        markdown(rounds(), rounds().assign(source="other"))
    with pytest.raises(UserError, match="other numbers of labels"):
        markdown(rounds(), rounds(labels=(0, 5, 20)))
    monkeypatch.setattr("sys.argv", ["between", str(tmp_path / "a"), str(tmp_path / "b")])
    with pytest.raises(UserError, match="is not there"):
        main()


def test_it_reads_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, frame in {"a": rounds(), "b": rounds(0.03)}.items():
        frame.to_parquet(tmp_path / name)
    monkeypatch.setattr("sys.argv", ["between", str(tmp_path / "a"), str(tmp_path / "b")])
    main()
    assert "+2.25" in capsys.readouterr().out
