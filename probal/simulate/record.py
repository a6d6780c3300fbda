"""Finished runs, appended to a file of JSON lines as they come in, so that a stopped command goes on there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from probal.errors import UserError


def run_key(**parts: Any) -> str:
    """sha256 of what a run's result depends on, and of the libraries' versions; machines may still round apart."""
    libraries = {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "torch")}
    return hashlib.sha256(json.dumps([parts, libraries], sort_keys=True).encode()).hexdigest()


def record_beside(output: Path) -> Path:
    """Where the runs behind `output` are kept: curves.json -> curves.runs.jsonl."""
    return output.with_suffix(".runs.jsonl")


class Record:
    """The runs kept in `file`, by key; without a file nothing is kept."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._runs: dict[str, dict[str, Any]] = {}
        if file is None or not file.exists():
            return
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file} holds the runs so far and cannot be read: {error}") from error
        for line in lines:
            try:
                run = json.loads(line)
                self._runs[run["key"]] = run
            except (ValueError, KeyError, TypeError):
                continue  # cut short when a process was killed: that run is done again

    def get(self, key: str) -> dict[str, Any] | None:
        return self._runs.get(key)

    def add(self, run: Mapping[str, Any]) -> None:
        """Keep a finished run, which has a `key`; one write, so that a crash costs at most this line."""
        if self._file is not None:
            whole = not self._file.exists() or self._file.read_bytes()[-1:] in (b"", b"\n")
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(("" if whole else "\n") + json.dumps(run) + "\n")
        self._runs[run["key"]] = dict(run)
