"""The simulated loop on drawn vectors: its JSON, its pairing, its determinism, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from probal.errors import UserError
from probal.simulate import BARE_SCALE, TEXT_SCALE, load_source, simulate, split

C, D = 4, 16


def silent(done: int, total: int, message: str) -> None:
    pass


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(C, D))
    y = rng.integers(0, C, 300)
    x = (centres[y] + rng.normal(size=(300, D))).astype(np.float16)
    return {"x": x, "y": y, "text_x": (centres + 2 * rng.normal(size=(C, D))).astype(np.float16)}


@pytest.fixture
def source(arrays: dict[str, np.ndarray], tmp_path: Path) -> Path:
    np.savez(tmp_path / "set.npz", **arrays)
    return tmp_path / "set.npz"


def test_the_json_of_the_design(source: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    result = simulate(
        source,
        ["auto", "random"],
        batch_size=7,
        budget=20,
        seeds=2,
        progress=lambda *report: seen.append(report),
    )
    assert seen[-1] == (4, 4, "Simulating")
    assert [(run["strategy"], run["seed"]) for run in result["runs"]] == [
        ("auto", 0), ("auto", 1), ("random", 0), ("random", 1)
    ]  # fmt: skip
    for run in result["runs"]:
        assert run["labels"] == [0, 7, 14, 20]
        for name in ("accuracy", "nll", "ece", "seconds"):
            assert len(run[name]) == 4
            assert np.isfinite(run[name]).all()
    by = {(run["strategy"], run["seed"]): run for run in result["runs"]}
    assert by["auto", 0]["accuracy"][0] == by["random", 0]["accuracy"][0]  # one split per seed
    assert by["auto", 0]["accuracy"][0] != by["auto", 1]["accuracy"][0]
    assert np.mean([run["accuracy"][-1] - run["accuracy"][0] for run in result["runs"]]) > 0.03


def test_a_run_is_repeatable(source: Path) -> None:
    first, second = (
        simulate(source, ["auto"], batch_size=5, budget=15, seeds=1)["runs"][0] for _ in range(2)
    )
    for name in ("labels", "accuracy", "nll", "ece"):
        assert first[name] == second[name]


def test_the_budget_ends_with_the_pool(source: Path) -> None:
    (run,) = simulate(source, ["random"], batch_size=150, budget=10_000, seeds=1)["runs"]
    assert run["labels"] == [0, 150, 200]


def test_rows_are_normalized_in_float32_and_split_two_to_one(source: Path) -> None:
    task = split(load_source(source, "embedded", None, None, silent), seed=3)
    assert (len(task.pool_y), len(task.eval_y)) == (200, 100)
    for rows in (task.pool_x, task.eval_x, task.prototypes):
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_keys_text_and_scale(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    x, y = arrays["x"], arrays["y"]
    np.savez(
        tmp_path / "keys.npz", a_x=x[:200], a_y=y[:200], b_x=x[200:], b_y=y[200:], classnames=list("wxyz")
    )
    loaded = load_source(tmp_path / "keys.npz", "embedded", "a", "b", silent)
    assert (len(loaded.x), loaded.scale, loaded.classes) == (200, BARE_SCALE, tuple("wxyz"))
    task = split(loaded, 0)
    assert not task.prototypes.any()
    assert np.array_equal(task.eval_y, y[200:])
    np.savez(tmp_path / "scaled.npz", **arrays, scale=np.array(30.0))
    assert load_source(tmp_path / "scaled.npz", "embedded", None, None, silent).scale == 30
    np.savez(tmp_path / "text.npz", **arrays)
    assert load_source(tmp_path / "text.npz", "embedded", None, None, silent).scale == TEXT_SCALE


def test_what_does_not_fit_is_told(source: Path, arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither a folder nor an \.npz"):
        simulate(tmp_path / "none.npz", ["random"])
    with pytest.raises(UserError, match=r"no arrays val_x and val_y; it holds text_x, x, y"):
        simulate(source, ["random"], pool_key="val", eval_key="test")
    with pytest.raises(UserError, match="unknown strategy"):
        simulate(source, ["best"])
    with pytest.raises(UserError, match="unknown adapter"):
        simulate(source, ["random"], adapter="svm")
    np.savez(tmp_path / "bad.npz", x=arrays["x"], y=arrays["y"][:-1])
    with pytest.raises(UserError, match=r"must be finite \[N,D\]"):
        simulate(tmp_path / "bad.npz", ["random"])
    np.savez(tmp_path / "names.npz", x=arrays["x"], y=arrays["y"], classnames=["a", "b"])
    with pytest.raises(UserError, match="4 classes in the labels, 2 class names"):
        simulate(tmp_path / "names.npz", ["random"])
    (tmp_path / "notes.npz").write_text("not an archive")
    with pytest.raises(UserError, match="cannot be read"):
        simulate(tmp_path / "notes.npz", ["random"])
