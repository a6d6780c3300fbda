"""Own vectors: what is read from .npz and Parquet, and one line for each thing that does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from probal.errors import UserError
from probal.pool.vector_file import has_labels, read_vector_file

N, D, C = 7, 5, 3
X = np.random.default_rng(0).normal(size=(N, D))
TEXT = np.random.default_rng(1).normal(size=(C, D))
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)
NAMES = [f"b/{i}.png" for i in range(N)]


def npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


def test_vectors_alone(tmp_path: Path) -> None:
    table = read_vector_file(npz(tmp_path, x=X))
    np.testing.assert_allclose(table.x, UNIT, atol=1e-3)
    assert table.x.dtype == np.float16
    assert table.names == tuple("0123456")
    assert (table.named, table.class_names, table.text_x, table.scale) == (False, (), None, 15.0)


def test_all_that_an_npz_may_hold(tmp_path: Path) -> None:
    file = npz(tmp_path, x=X * 1e6, path=NAMES, y=np.zeros(N), classnames=["a", "b", "c"], text_x=TEXT)
    table = read_vector_file(file)
    np.testing.assert_allclose(table.x, UNIT, atol=1e-3)
    assert table.names == tuple(NAMES)
    assert table.named
    assert table.class_names == ("a", "b", "c")
    assert table.scale == 100.0
    assert table.text_x is not None
    cosine = (table.text_x * TEXT).sum(1) / np.linalg.norm(TEXT, axis=1)
    np.testing.assert_allclose(cosine, 1.0, atol=1e-3)
    assert has_labels(file)
    assert read_vector_file(npz(tmp_path, x=X, scale=30)).scale == 30.0


@pytest.mark.parametrize("key", ["path", "file", "id"])
def test_names_by_any_of_their_keys(tmp_path: Path, key: str) -> None:
    pd.DataFrame({key: np.arange(N) * 3, "x": list(X)}).to_parquet(tmp_path / "own.parquet")
    assert read_vector_file(tmp_path / "own.parquet").names[2] == "6"
    if key != "file":  # numpy's own writer has an argument of that name
        assert read_vector_file(npz(tmp_path, x=X, **{key: np.arange(N) * 3})).names[2] == "6"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_any_numbers(tmp_path: Path, dtype: str) -> None:
    whole = np.round(X * 10).astype(dtype)
    expected = whole / np.linalg.norm(whole.astype(float), axis=1, keepdims=True)
    np.testing.assert_allclose(read_vector_file(npz(tmp_path, x=whole)).x, expected, atol=1e-3)


@pytest.mark.parametrize("column", ["vector", "embedding", "x"])
def test_parquet_with_lists(tmp_path: Path, column: str) -> None:
    file = tmp_path / "own.parquet"
    pd.DataFrame({"path": NAMES, "other": 1, column: list(X.astype(np.float32))}).to_parquet(file)
    table = read_vector_file(file)
    np.testing.assert_allclose(table.x, UNIT, atol=1e-3)
    assert table.names == tuple(NAMES)
    assert not has_labels(file)


def test_parquet_with_lists_of_fixed_size(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), D)
    pq.write_table(pa.table({"vector": column}), tmp_path / "own.parquet", row_group_size=3)
    np.testing.assert_allclose(read_vector_file(tmp_path / "own.parquet").x, UNIT, atol=1e-3)


@pytest.mark.parametrize(("stem", "first"), [("", 0), ("x", 1), ("dim_", 0)])
def test_parquet_with_numbered_columns(tmp_path: Path, stem: str, first: int) -> None:
    wide = np.concatenate([X, X + 1, X - 1], axis=1)  # 15: beyond 9, where names sort differently
    columns = {f"{stem}{first + i}": wide[:, i] for i in reversed(range(wide.shape[1]))}
    frame = pd.DataFrame({"id": range(N), "run1": 1.0, **columns})
    frame.to_parquet(tmp_path / "own.parquet")
    expected = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    np.testing.assert_allclose(read_vector_file(tmp_path / "own.parquet").x, expected, atol=1e-3)


def spoiled(row: int, value: float) -> np.ndarray:
    bad = X.copy()
    bad[row] = value
    return bad


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"features": X}, "no array x; it holds features"),
        ({"x": spoiled(3, np.nan)}, r"1 of 7 rows of x hold NaN or infinity \(row 3\)"),
        ({"x": spoiled(3, np.inf)}, "NaN or infinity"),
        ({"x": spoiled(2, 0.0)}, r"are zero and point nowhere \(row 2\)"),
        ({"x": X[0]}, r"x has the shape \[5\]; expected one row a vector"),
        ({"x": X[:0]}, "expected one row a vector"),
        ({"x": np.array([["a", "b"]])}, "holds <U1; expected numbers"),
        ({"x": X, "path": NAMES[:5]}, "5 names and 7 vectors"),
        ({"x": X, "path": [*NAMES[:6], NAMES[1]]}, "the name 'b/1.png' stands at the rows 1 and 6"),
        ({"x": X, "path": [*NAMES[:6], "a\nb"]}, "the name .* of row 6 holds a control character"),
        ({"x": X, "path": [*NAMES[:6], " "]}, "row 6 has no name"),
        ({"x": X, "path": np.array(NAMES, dtype=object)}, "path holds Python objects"),
        ({"x": X, "text_x": TEXT[:, :4]}, r"text_x is \[3, 4\] and x is \[7, 5\]"),
        ({"x": X, "text_x": TEXT, "classnames": ["a", "b"]}, "2 classnames and 3 rows of text_x"),
        ({"x": X, "scale": -1.0}, "scale is -1"),
    ],
)
def test_what_does_not_fit_in_an_npz(tmp_path: Path, arrays: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        read_vector_file(npz(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"path": NAMES, "a": 1.0}, "no column x, vector or embedding of lists, and no numbered columns"),
        ({"x": ["text"] * N}, "the column x holds .*string; expected a list of numbers"),
        ({"x": [[1.0, 2.0]] * 4 + [[1.0]] * 3}, "2 numbers in row 0 and 1 in row 4"),
        ({"x": [[1.0, 2.0]] * 4 + [None] * 3}, "3 of 7 rows of x are empty"),
        ({"x": [[1.0, 2.0]] * 4 + [[1.0, None]] * 3}, "NaN or infinity"),
        ({"x": [[1.0, 2.0]] * N, "path": [*NAMES[:6], None]}, "row 6 has no name"),
        ({"x0": 1.0, "x1": "a"}, "the column x1 holds .*string; expected numbers"),
    ],
)
def test_what_does_not_fit_in_a_parquet_file(tmp_path: Path, columns: dict[str, Any], told: str) -> None:
    pd.DataFrame(columns, index=range(N)).to_parquet(tmp_path / "own.parquet")
    with pytest.raises(UserError, match=told) as caught:
        read_vector_file(tmp_path / "own.parquet")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.npz", None, "no file of vectors at"),
        ("own.npz", b"junk", "cannot be read as an .npz"),
        ("own.parquet", b"junk", "cannot be read as a Parquet file"),
        ("own.csv", b"a,b", "neither an .npz nor a .parquet file"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=told):
        read_vector_file(tmp_path / name)
