"""The demo pool: scikit-learn's 1,797 handwritten digits as PNGs, 400 of them a labeled test split."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from probal.errors import UserError
from probal.pool.decode import IMAGE_SUFFIXES
from probal.types import JobKind, JobState, Project

if TYPE_CHECKING:
    from probal.workspace import Workspace

DIGITS = "digits"
CLASSES = tuple("0123456789")
"""Named by the digit itself, so that the number keys label them."""
TEST_PER_CLASS = 40
MARGIN = 3
"""Pixels of paper added around the 8×8 original, whose ink reaches the edge; encoders crop the middle."""
ENLARGED = 8
"""Written pixels per original one. Both were chosen by measurement, see data/README.md."""
SEED = 0


@dataclass(frozen=True)
class DrawnPool:
    root: Path
    test_labels: dict[str, str]
    """Path relative to the root, to class name, of the test split."""


def draw_digits(root: Path) -> DrawnPool:
    """Writes the digits under `root` unless they are there; what is there already is left as it is.

    The files are numbered in a shuffled order, so that their names do not tell the digit. The folder appears
    whole or not at all: a kill in between leaves nothing that a later call would take for the pool.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    labels: np.ndarray = digits.target  # [N]
    test = held_out(labels)
    numbers = np.random.default_rng(SEED + 1).permutation(len(labels))
    names = [f"{'test' if test[i] else 'pool'}/{number:04d}.png" for i, number in enumerate(numbers)]
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        drawing = Path(tempfile.mkdtemp(prefix=".digits-", dir=root.parent))
        try:
            for split in ("pool", "test"):
                (drawing / split).mkdir()
            for name, levels in zip(names, digits.images, strict=True):
                digit_image(levels).save(drawing / name)
            drawing.rename(root)
        finally:
            shutil.rmtree(drawing, ignore_errors=True)
    return DrawnPool(root, {names[i]: CLASSES[labels[i]] for i in np.flatnonzero(test)})


def digit_image(levels: np.ndarray) -> Image.Image:
    """One digit, `levels` [8, 8] in 0–16, as dark ink on white paper in 256 greys, enlarged bicubically."""
    paper = np.pad(levels, MARGIN)  # [14, 14]
    grey = np.rint(255 - paper * (255 / 16)).astype(np.uint8)
    side = len(grey) * ENLARGED
    return Image.fromarray(grey).resize((side, side), Image.Resampling.BICUBIC)


def held_out(labels: np.ndarray) -> np.ndarray:
    """Boolean [N]: `TEST_PER_CLASS` images of every class, the same at each call."""
    order = np.random.default_rng(SEED).permutation(len(labels))
    chosen = [order[labels[order] == c][:TEST_PER_CLASS] for c in np.unique(labels)]
    test = np.zeros(len(labels), dtype=bool)
    test[np.concatenate(chosen)] = True
    return test


def digits_project(workspace: Workspace) -> Project:
    """The project `digits` of this workspace, made at the first call; its embedding is queued, not done."""
    existing = {project.name: project for project in workspace.store.projects()}
    if DIGITS in existing:
        return _on_its_way(workspace, existing[DIGITS])
    pool = draw_digits(workspace.path / "demo" / DIGITS)
    return workspace.create_project(DIGITS, images=pool.root, classes=CLASSES, test_labels=pool.test_labels)


def folder_project(workspace: Workspace, folder: Path) -> Project:
    """A project on any folder with one subfolder per class, made at the first call.

    The subfolders' names become the class names; which image lies in which is not used as a label. The
    project is named after the folder. Raises UserError for a folder that cannot tell its classes.
    """
    root = folder.expanduser().resolve()
    for project in workspace.store.projects():
        if project.config.image_root == str(root):
            return _on_its_way(workspace, project)
    classes = class_folders(root)
    return workspace.create_project(_project_name(workspace, root), images=root, classes=classes)


def class_folders(root: Path) -> list[str]:
    """Names of the subfolders of `root` that hold an image, sorted; UserError for fewer than two."""
    if not root.is_dir():
        raise UserError(f"no folder at {root}: give the folder that holds your images")
    classes = [
        child.name
        for child in sorted(root.iterdir())
        if child.is_dir()
        and not child.name.startswith(".")
        and any(file.suffix.lower() in IMAGE_SUFFIXES for file in child.rglob("*"))
    ]
    if len(classes) < 2:
        raise UserError(
            f"{root} has no two subfolders with images to take class names from: name the classes with "
            f"probal init NAME --images {root} --classes a,b,c and then run probal serve"
        )
    return classes


def _on_its_way(workspace: Workspace, project: Project) -> Project:
    """The project, its preparation queued again if an earlier one was broken off."""
    store = workspace.store
    open_jobs = [job for job in store.jobs(project.id) if job.state in (JobState.QUEUED, JobState.RUNNING)]
    if store.latest_round(project.id) is None and not open_jobs:
        store.enqueue(project.id, JobKind.PREPARE)
    return project


def _project_name(workspace: Workspace, root: Path) -> str:
    """The folder's name with what a project's name may not hold replaced, numbered if taken."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", root.name).strip("-.")[:56] or "pool"
    taken = {project.name for project in workspace.store.projects()}
    return next(
        name for name in (plain, *(f"{plain}-{n}" for n in range(2, len(taken) + 3))) if name not in taken
    )
