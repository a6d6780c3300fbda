"""Own vectors from an `.npz` or a Parquet file, checked, with one clear line for whatever does not fit.

An `.npz` holds `x [N, D]` and, if wanted, `path` (or `file`, `id`) `[N]`, `classnames [C]`, `text_x [C, D]` (the
prior means) and `scale`. A Parquet file holds a column of lists (`x`, `vector` or `embedding`), or numbered columns
such as `x0 … x511`, and the same column of names. Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from probal.encoders.vectors import VectorTable
from probal.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

VECTOR_KEYS = ("x", "vector", "embedding", "vectors", "embeddings")
NAME_KEYS = ("path", "file", "id")
TEXT_SCALE, BARE_SCALE = 100.0, 15.0
"""Logit scale of vectors whose file names none: with class texts (CLIP's), and without."""
_SHOWN = 3
_ROWS = 65_536  # at a time
_HOW = "np.savez(F, x=vectors, path=names)"


def read_vector_file(path: Path) -> VectorTable:
    """The table in `path`; UserError for a file that cannot be read or does not fit together."""
    path = path.expanduser()
    if not path.is_file():
        raise UserError(f"no file of vectors at {path}: give an .npz or a .parquet file")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        arrays = _read_npz(path)
    elif suffix in (".parquet", ".pq"):
        arrays = _read_parquet(path)
    else:
        raise UserError(f"{path.name} is neither an .npz nor a .parquet file; write one, as by {_HOW}")
    return _table(path.name, arrays)


def has_labels(path: Path) -> bool:
    """Whether a readable `.npz` holds `y`, which a project does not use."""
    if path.suffix.lower() != ".npz":
        return False
    with np.load(path.expanduser(), allow_pickle=False) as file:
        return "y" in file.files


def _table(file: str, arrays: Mapping[str, np.ndarray]) -> VectorTable:
    x = _unit_rows(file, "x", arrays["x"])
    count, width = x.shape
    names = _names(file, arrays["names"], count) if "names" in arrays else tuple(map(str, range(count)))
    class_names = tuple(str(name) for name in np.atleast_1d(arrays.get("classnames", np.array([], str))))
    text_x = arrays.get("text_x")
    if text_x is not None:
        if text_x.ndim != 2 or text_x.shape[1] != width:
            raise UserError(
                f"{file}: text_x is {list(text_x.shape)} and x is {[count, width]}: a class's row must be as "
                f"wide as an image's, [C, {width}]"
            )
        if class_names and len(class_names) != len(text_x):
            raise UserError(f"{file}: {len(class_names)} classnames and {len(text_x)} rows of text_x")
        text_x = _unit_rows(file, "text_x", text_x).astype(np.float32)
    scale = float(arrays["scale"]) if "scale" in arrays else (BARE_SCALE if text_x is None else TEXT_SCALE)
    if not np.isfinite(scale) or scale <= 0:
        raise UserError(f"{file}: scale is {scale:g}; the logit scale must be a positive number")
    return VectorTable(x, names, "names" in arrays, class_names, text_x, scale)


def _unit_rows(file: str, key: str, x: np.ndarray) -> np.ndarray:
    """Rows at unit length, [N, D] float16; UserError unless all are finite and none is zero."""
    if x.ndim != 2 or 0 in x.shape:
        raise UserError(f"{file}: {key} has the shape {list(x.shape)}; expected one row a vector, [N, D]")
    if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
        raise UserError(f"{file}: {key} holds {x.dtype}; expected numbers")
    unit = np.empty(x.shape, np.float16)
    bad: dict[str, list[int]] = defaultdict(list)
    for start in range(0, len(x), _ROWS):
        part = x[start : start + _ROWS].astype(np.float64)
        finite = np.asarray(np.isfinite(part).all(axis=1))
        length = np.linalg.norm(np.where(finite[:, None], part, 0.0), axis=1)
        bad["hold NaN or infinity"] += (start + np.flatnonzero(~finite)).tolist()
        bad["are zero and point nowhere"] += (start + np.flatnonzero(finite & (length == 0))).tolist()
        good = finite & (length > 0)
        unit[start : start + _ROWS][good] = (part[good] / length[good, None]).astype(np.float16)
    for what, rows in bad.items():
        if rows:
            raise UserError(
                f"{file}: {len(rows)} of {len(x)} rows of {key} {what} ({_some(rows)}): leave them out"
            )
    return unit


def _names(file: str, values: np.ndarray, count: int) -> tuple[str, ...]:
    if values.ndim != 1 or len(values) != count:
        raise UserError(
            f"{file}: {len(np.atleast_1d(values))} names and {count} vectors; every vector needs one name"
        )
    names = tuple(str(value).strip() for value in values.tolist())
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        if not name or name in ("None", "nan"):
            raise UserError(f"{file}: row {row} has no name")
        if not name.isprintable():
            raise UserError(f"{file}: the name {name!r} of row {row} holds a control character: remove it")
        first = rows.setdefault(name, row)
        if first != row:
            raise UserError(
                f"{file}: the name {name!r} stands at the rows {first} and {row}: give each vector its own"
            )
    return names


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if not hasattr(file, "files"):
                raise UserError(f"{path.name} is a single array (.npy); write {_HOW}")
            vectors = _first_of(VECTOR_KEYS, file.files)
            if vectors is None:
                holds = ", ".join(sorted(file.files)) or "nothing"
                raise UserError(f"{path.name} has no array x; it holds {holds}: write it as by {_HOW}")
            wanted = {"x": vectors, "names": _first_of(NAME_KEYS, file.files)}
            wanted |= {key: key for key in ("classnames", "text_x", "scale")}
            return {
                key: _array(path, file, name) for key, name in wanted.items() if name and name in file.files
            }
    except (OSError, BadZipFile, ValueError, EOFError) as error:
        raise UserError(f"{path.name} cannot be read as an .npz: {error}") from error


def _array(path: Path, file: Any, name: str) -> np.ndarray:
    try:
        array: np.ndarray = file[name]
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise UserError(
            f"{path.name}: {name} holds Python objects, which are not loaded; save it as "
            f"np.array({name}, dtype=str), or as floats if it holds numbers"
        ) from error
    return array


def _read_parquet(path: Path) -> dict[str, np.ndarray]:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        schema = pq.read_schema(path)
        names = _first_of(NAME_KEYS, schema.names)
        listed = _first_of(VECTOR_KEYS, schema.names)
        numbered = [] if listed else _numbered(schema.names)
        if not listed and not numbered:
            raise UserError(
                f"{path.name} has no column x, vector or embedding of lists, and no numbered columns; "
                f"it holds {', '.join(schema.names) or 'nothing'}"
            )
        columns = [*([listed] if listed else numbered), *([names] if names else [])]
        table = pq.read_table(path, columns=columns)
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path.name} cannot be read as a Parquet file: {reason}") from error
    if listed:
        arrays = {"x": _matrix(path.name, listed, table.column(listed))}
    else:
        arrays = {"x": np.stack([_floats(path.name, table, name) for name in numbered], 1)}
    if names:
        arrays["names"] = np.array(table.column(names).to_pylist(), dtype=object)
    return arrays


def _matrix(file: str, name: str, column: pa.ChunkedArray) -> np.ndarray:
    """A column of lists of one length as [N, D]."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise UserError(f"{file}: the column {name} holds {kind}; expected a list of numbers in each row")
    if column.null_count:
        raise UserError(
            f"{file}: {column.null_count} of {len(column)} rows of {name} are empty: leave them out"
        )
    lengths = pc.list_value_length(column).to_numpy()
    if len(set(lengths.tolist())) > 1:
        odd = int(np.flatnonzero(lengths != lengths[0])[0])
        raise UserError(
            f"{file}: {name} has {lengths[0]} numbers in row 0 and {lengths[odd]} in row {odd}; "
            "all vectors must be of one width"
        )
    values = pc.list_flatten(column).to_numpy()
    return values.reshape(len(column), int(lengths[0]) if len(lengths) else 0)


def _floats(file: str, table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name).to_numpy()
    if not np.issubdtype(column.dtype, np.number):
        raise UserError(f"{file}: the column {name} holds {table.column(name).type}; expected numbers")
    return column.astype(np.float32)


def _numbered(names: Sequence[str]) -> list[str]:
    """The largest group of columns `<stem><number>` numbered without a gap, in order; at least two."""
    groups: dict[str, dict[int, str]] = defaultdict(dict)
    for name in names:
        match = re.fullmatch(r"(.*?)(\d+)", name)
        if match:
            groups[match[1]][int(match[2])] = name
    whole = [
        [group[i] for i in sorted(group)]
        for group in groups.values()
        if max(group) - min(group) == len(group) - 1 >= 1
    ]
    return max(whole, key=len, default=[])


def _first_of(keys: Sequence[str], names: Sequence[str]) -> str | None:
    return next((key for key in keys if key in names), None)


def _some(rows: Sequence[int]) -> str:
    shown = ", ".join(map(str, rows[:_SHOWN]))
    return f"row{'s' if len(rows) > 1 else ''} {shown}" + (" …" if len(rows) > _SHOWN else "")
