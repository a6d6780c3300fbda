"""Tensors on disk: safetensors files with their facts as JSON, written whole or not at all. No pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from probal.errors import UserError


def write_tensors(path: Path, tensors: Mapping[str, Tensor], format: str, facts: Mapping[str, Any]) -> str:
    """Write one file at `path`, its folders too; returns its sha256.

    `format` names what it is and in which version, `facts` go with it as JSON.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, partial, metadata={"format": format, "facts": json.dumps(facts)})
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    partial.replace(path)
    return digest


def read_tensors(
    path: Path, format: str, what: str, remedy: str, names: Container[str] | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a file that `write_tensors` wrote under that format; only the tensors of `names` if given.

    Raises UserError for a file that is not there, not one, or of another version, naming `what` was expected (`a
    posterior`) and the `remedy` (`estimate it again`).
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}: expected {what} saved by ProbAL")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            wanted = [name for name in file.keys() if names is None or name in names]  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in wanted}
    except SafetensorError as error:
        raise UserError(f"{path} is not a safetensors file: {error}") from error
    found = metadata.get("format")
    if found != format:
        raise UserError(
            f"{path} is not {what} of this version: its format is {found!r}, expected {format!r}; {remedy}"
        )
    try:
        return tensors, json.loads(metadata["facts"])
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}); {remedy}") from error
