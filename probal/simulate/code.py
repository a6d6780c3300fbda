"""A digest of the code that a result depends on, so that resuming never mixes results of two versions."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import probal

_ROOT = Path(probal.__file__).parent
LEFT_OUT = frozenset(
    {
        # packages that import every member: else no strategy could change without all the others
        "probal", "probal.acquisition", "probal.adapters", "probal.simulate",
        # how vectors are made: the digest of the vectors themselves says more
        "probal.simulate.source", "probal.encoders", "probal.pool.features",
    }
)  # fmt: skip


@cache
def code_digest(modules: Sequence[str]) -> str:
    """sha256 of these ProbAL modules and all of ProbAL that they import, LEFT_OUT excepted."""
    seen: set[str] = set()
    queue = list(modules)
    while queue:
        name = queue.pop()
        if name not in seen and name not in LEFT_OUT:
            seen.add(name)
            queue += _imports(name)
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(name.encode() + _file(name).read_bytes())
    return digest.hexdigest()


def _file(module: str) -> Path:
    path = _ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imports(module: str) -> list[str]:
    """ProbAL modules named by absolute imports anywhere in this one, with `from package import module`."""
    found = []
    for node in ast.walk(ast.parse(_file(module).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in found if name.split(".")[0] == "probal" and _file(name).is_file()]
