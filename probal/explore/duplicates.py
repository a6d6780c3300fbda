"""Groups of near-duplicates in a pool: alike to the eye (perceptual hash) and alike to the encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from probal.explore import files
from probal.explore.catalog import NONE, Catalog
from probal.explore.vectors import unit_vectors
from probal.pool.near_duplicates import HashFile, groups, near_pairs
from probal.types import ImageInfo, ImageState, Project, Role
from probal.workspace import Workspace

COSINE = 0.9
"""Between the vectors of near-duplicates at least: plain images share hashes without being alike."""

Report = Callable[[int, int, str], None]


def find_groups(workspace: Workspace, project: Project, report: Report) -> None:
    """Group the pool's images and keep the groups on disk; hashes are computed once for each image.

    A project of vectors without pictures has no groups.
    """
    if project.config.image_root is None:
        return
    root = Path(project.config.image_root)
    images = workspace.store.images(project.id, state=ImageState.OK, role=Role.POOL)
    known = HashFile(files.folder(workspace, project) / files.HASHES)
    known.compute(
        [(image.content_hash, root / image.path) for image in images],
        lambda done, total: report(done, total, "Looking for near-duplicates"),
    )
    group = grouped(workspace, project, images, known)
    some = group != NONE
    files.write_arrays(
        files.folder(workspace, project) / files.GROUPS,
        image_id=np.array([image.id for image in images], np.int64)[some],
        group=group[some],
    )


def grouped(
    workspace: Workspace, project: Project, images: Sequence[ImageInfo], known: HashFile
) -> np.ndarray:
    """Group number [N] of each image, NONE for one that is alone or has no hash."""
    hashes = [known.get(image.content_hash) for image in images]
    rows = [i for i, each in enumerate(hashes) if each is not None]
    pairs = near_pairs(np.array([hashes[i] for i in rows], np.uint64))
    x = unit_vectors(workspace, project, [images[i].content_hash for i in rows])
    alike = [np.einsum("md,md->m", x[a], x[b]) >= COSINE for a, b in (part.T for part in _parts(pairs))]
    number = np.full(len(images), NONE, np.int64)
    number[rows] = groups(len(rows), pairs[np.concatenate([np.empty(0, bool), *alike])])
    return number


def _parts(pairs: np.ndarray, size: int = 65_536) -> list[np.ndarray]:
    """Pairs in pieces, so that their vectors fit in memory."""
    return [pairs[start : start + size] for start in range(0, len(pairs), size)]


def members(catalog: Catalog) -> list[np.ndarray]:
    """Rows of each group with more than one image in the catalog, the largest first."""
    order = np.argsort(catalog.group, kind="stable")
    order = order[catalog.group[order] != NONE]
    starts = np.flatnonzero(np.diff(catalog.group[order])) + 1
    parts = [part for part in np.split(order, starts) if len(part) > 1]
    return sorted(parts, key=len, reverse=True)


def widen(catalog: Catalog, rows: np.ndarray) -> np.ndarray:
    """These rows and all near-duplicates of them, ascending."""
    touched = np.unique(catalog.group[rows])
    in_group = np.isin(catalog.group, touched[touched != NONE])
    return np.union1d(rows, np.flatnonzero(in_group))


def settled(catalog: Catalog) -> dict[int, np.ndarray]:
    """Rows of unlabeled images by class id, where all labeled near-duplicates of theirs have that one class."""
    found: dict[int, list[int]] = {}
    for rows in members(catalog):
        labels = set(catalog.label[rows].tolist()) - {NONE}
        if len(labels) == 1:
            open_ones = rows[(catalog.label[rows] == NONE) & ~catalog.flagged[rows]]
            found.setdefault(labels.pop(), []).extend(open_ones.tolist())
    return {class_id: np.array(rows) for class_id, rows in found.items() if rows}
