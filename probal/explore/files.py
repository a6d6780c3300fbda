"""Where the worker leaves what it found for Explore, and how: whole files or none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from probal.types import Project
from probal.workspace import Workspace

MAP, GROUPS, CHECK, HASHES = "map.npz", "near-duplicates.npz", "label-check.json", "hashes.npz"


def folder(workspace: Workspace, project: Project) -> Path:
    """The project's folder for Explore; all in it can be found out again, so no backup takes it along."""
    return workspace.path / "explore" / str(project.id)


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Replace an `.npz` by these arrays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes names for options
    partial.replace(path)


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an `.npz`; None where there is none."""
    try:
        with np.load(path) as found:
            return dict(found)
    except FileNotFoundError:
        return None


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)


def read_json(path: Path) -> Any | None:
    """What a JSON file says; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def text_path(workspace: Workspace, project: Project, encoder: str, text: str) -> Path:
    """Where the vector of a searched text lies, by the encoder's fingerprint and the text."""
    key = hashlib.sha256(json.dumps([encoder, text]).encode()).hexdigest()[:32]
    return folder(workspace, project) / f"text-{key}.npz"


PROBVLM = "probvlm"
"""Setting that tells how the project's ProbVLM was trained, if one is."""


def cloud_path(workspace: Workspace, project: Project, content_hash: str) -> Path:
    """Where the images nearest to one image's embedding distribution are written down, by the model that gave it."""
    model = workspace.store.get_setting(project.id, PROBVLM)
    key = hashlib.sha256(json.dumps([content_hash, model]).encode()).hexdigest()[:32]
    return folder(workspace, project) / f"cloud-{key}.json"
