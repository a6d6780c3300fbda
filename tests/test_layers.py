"""The floor plan: who may import whom, who may hold torch, SQLAlchemy or Streamlit, how long a file may be.

A new room must be named in ROOMS on purpose. Imports inside functions count for the direction; for what a
module *loads*, only those at module level count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

BASE = {"types", "errors"}
ENGINE = BASE | {"random", "threads", "tensor_file", "gaussian"}
HOUSE = BASE | {
    "encoders",
    "pool",
    "store",
    "evaluation",
    "export",
    "validate",
    "workspace",
    "labeling",
    "classes",
    "previews",
    "people",
    "support_set",
    "label_import",
    "imports",
    "backup",
    "advice",
    "pace",
    "finished",
    "finish_plan",
    "orders",
    "explore",
}

# room -> the rooms it may import; itself and `probal` (the version) always
ROOMS: dict[str, set[str]] = {
    "kinds": set(),
    "types": {"kinds"},
    "errors": set(),
    "random": set(),
    "threads": set(),
    "tensor_file": BASE,
    "gaussian": BASE | {"random", "threads"},
    "posterior": ENGINE,
    "probvlm": ENGINE,
    "adapters": ENGINE,
    "acquisition": ENGINE,
    "encoders": BASE,
    "pool": BASE | {"encoders"},
    "store": BASE,
    "evaluation": BASE,
    "export": BASE,
    "validate": BASE,
    "workspace": BASE | {"store", "validate", "pool", "encoders"},
    "labeling": BASE | {"store", "validate", "advice"},
    "classes": BASE | {"store", "validate", "labeling", "encoders"},
    "previews": BASE | {"workspace"},
    "people": BASE | {"store", "validate", "labeling", "evaluation"},
    "advice": BASE | {"store", "evaluation"},
    "pace": BASE | {"kinds"},
    "support_set": BASE | {"store", "export", "pool", "workspace"},
    "label_import": BASE | {"export"},
    "imports": BASE | {"store", "validate", "labeling", "label_import"},
    "backup": BASE | {"store", "pool", "workspace"},
    "explore": BASE | {"store", "pool", "workspace", "labeling"},
    "finished": BASE | {"store", "export", "support_set", "workspace"},
    "finish_plan": BASE | {"store", "evaluation", "finished", "workspace"},
    "orders": BASE | {"store", "validate"},
    "session": HOUSE | ENGINE | {"posterior", "probvlm", "adapters", "acquisition"},
    "worker": HOUSE | ENGINE | {"session"},
    "simulate": HOUSE | ENGINE | {"adapters", "acquisition", "session"},
    "demo": HOUSE,
    "web": HOUSE,
    "ui": HOUSE | {"web", "demo"},
    "cli": HOUSE | ENGINE | {"posterior", "adapters", "acquisition", "session", "worker", "simulate", "demo"},
    "pages": HOUSE | {"web", "ui", "demo"},
    "app": HOUSE | {"web", "ui"},
}

ENGINE_ROOMS = (ENGINE - BASE) | {
    *("posterior", "probvlm", "adapters", "acquisition", "encoders", "session", "worker", "simulate")
}
HAS_TORCH = ENGINE_ROOMS | {"cli"}
HAS_SQLALCHEMY = {"store"}
HAS_STREAMLIT = {"app", "pages", "ui"}
# what a web request, a page and `probal --help` load stays light
LOADS_NO_TORCH = ROOMS.keys() - ENGINE_ROOMS
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
TORCH_FAMILY = {"torch", "torchvision", "timm", "open_clip", "transformers", "sentence_transformers"}


@dataclass(frozen=True)
class Import:
    module: str
    """Dotted name of what is imported, names of a `from` import included where they are modules."""
    line: int
    lazy: bool
    """Inside a function, or under TYPE_CHECKING: nothing is loaded when the module is."""


def sources() -> list[Path]:
    return sorted([ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "probal").rglob("*.py")])


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return (parts[1] if parts[1] != "__init__" else "probal") if parts[0] == "probal" else parts[0]


def module_file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def resolve_base(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


@cache
def imports(path: Path) -> tuple[Import, ...]:
    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, lazy)
            elif isinstance(child, ast.ImportFrom):
                base = resolve_base(child, path)
                for alias in child.names:
                    full = f"{base}.{alias.name}"
                    yield Import(full if module_file(full) else base, child.lineno, lazy)
                    if full == "probal.Session":
                        yield Import("probal.session", child.lineno, lazy)
            elif isinstance(child, FUNCTIONS) or is_type_checking(child):
                yield from walk(child, True)
            else:
                yield from walk(child, lazy)

    return tuple(walk(ast.parse(path.read_text("utf-8")), False))


def loaded_by(path: Path) -> dict[str, list[str]]:
    """Third-party names that importing `path` loads, each with the chain of files that leads there."""
    found: dict[str, list[str]] = {}
    seen = {path}
    queue = [(path, [str(path.relative_to(ROOT))])]
    while queue:
        current, chain = queue.pop()
        for item in imports(current):
            if item.lazy:
                continue
            parts = item.module.split(".")
            if parts[0] != "probal":
                found.setdefault(parts[0], [*chain, f"line {item.line}: {item.module}"])
                continue
            # importing probal.a.b also runs probal/__init__ and probal/a/__init__
            for depth in range(1, len(parts) + 1):
                file = module_file(".".join(parts[:depth]))
                if file and file not in seen:
                    seen.add(file)
                    queue.append((file, [*chain, str(file.relative_to(ROOT))]))
    return found


def breaches(forbidden: set[str], allowed_rooms: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{item.line} imports {item.module}"
        for path in sources()
        if room_of(path) not in allowed_rooms
        for item in imports(path)
        if item.module.split(".")[0] in forbidden
    ]


def test_every_room_is_in_the_plan():
    there = {room_of(path) for path in sources()} - {"probal"}
    assert there - ROOMS.keys() == set(), "new room: name it in ROOMS, with what it may import"
    assert ROOMS.keys() - there == set(), "this room is gone: take it out of ROOMS"


def test_imports_follow_the_direction():
    wrong = []
    for path in sources():
        room = room_of(path)
        for item in imports(path):
            parts = item.module.split(".")
            if parts[0] in {"app", "pages"} and room not in {"app", "pages"}:
                wrong.append(f"{path.relative_to(ROOT)}:{item.line} imports {item.module}")
            if parts[0] != "probal" or len(parts) == 1 or room == "probal":
                continue
            if parts[1] != room and parts[1] not in ROOMS[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{item.line} imports {item.module}")
    assert wrong == []


def test_the_plan_has_no_circle():
    state: dict[str, str] = {}

    def visit(room: str, chain: list[str]) -> None:
        assert state.get(room) != "open", f"circle: {' -> '.join([*chain, room])}"
        if state.get(room) == "done":
            return
        state[room] = "open"
        for other in sorted(ROOMS[room]):
            visit(other, [*chain, room])
        state[room] = "done"

    for room in ROOMS:
        visit(room, [])


def test_torch_stays_in_the_engine():
    assert breaches(TORCH_FAMILY, HAS_TORCH) == []


def test_sqlalchemy_stays_in_the_store():
    assert breaches({"sqlalchemy", "alembic"}, HAS_SQLALCHEMY) == []


def test_streamlit_stays_in_the_pages():
    assert breaches({"streamlit"}, HAS_STREAMLIT) == []


def test_light_rooms_load_no_torch():
    heavy = []
    for path in sources():
        if room_of(path) in LOADS_NO_TORCH:
            for name, chain in loaded_by(path).items():
                if name in TORCH_FAMILY:
                    heavy.append(" -> ".join(chain))
    assert heavy == []


def test_no_file_is_two_rooms():
    sources_and_assets = [
        path
        for folder in ("probal", "pages", "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".js", ".css"} and path.is_file()
    ]
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in [ROOT / "app.py", *sources_and_assets]
    }
    assert {name: lines for name, lines in lengths.items() if lines > 300} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn", [("torch.nn", False)]),
        ("def f():\n    import torch", [("torch", True)]),
        ("from probal import pool", [("probal.pool", False)]),
        ("from ..store import Store", [("probal.store", False)]),
        ("from . import scan", [("probal.pool.scan", False)]),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
            [("typing", False), ("torch", True)],
        ),
        ("try:\n    import torch\nexcept ImportError:\n    pass", [("torch", False)]),
        ("class A:\n    import torch", [("torch", False)]),
    ],
)
def test_the_walker_sees_every_kind_of_import(tmp_path, monkeypatch, source, expected):
    package = tmp_path / "probal" / "pool"
    package.mkdir(parents=True)
    for name in ("__init__", "scan", "here"):
        (package / f"{name}.py").write_text("")
    (tmp_path / "probal" / "store").mkdir()
    (tmp_path / "probal" / "store" / "__init__.py").write_text("")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = package / "here.py"
    file.write_text(source)
    assert [(item.module, item.lazy) for item in imports(file)] == expected
