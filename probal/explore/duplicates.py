"""Groups of near-duplicates in a pool: alike to the eye (perceptual hash) and alike to the encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from probal.explore import files
from probal.explore.catalog import NEAR_AUDIT, NONE, Catalog
from probal.explore.vectors import unit_vectors
from probal.pool.near_duplicates import HashFile, groups, near_pairs
from probal.types import ImageInfo, ImageState, Project, Role
from probal.workspace import Workspace

COSINE = 0.9
"""Between the vectors of near-duplicates at least: plain images share hashes without being alike."""

Report = Callable[[int, int, str], None]


def find_groups(workspace: Workspace, project: Project, report: Report) -> None:
    """Group the pool's images and keep the groups on disk; a project of vectors without pictures has none."""
    if project.config.image_root is None:
        return
    images = workspace.store.images(project.id, state=ImageState.OK, role=Role.POOL)
    group = groups(len(images), near(workspace, project, images, report))
    some = group != NONE
    files.write_arrays(
        files.folder(workspace, project) / files.GROUPS,
        image_id=np.array([image.id for image in images], np.int64)[some],
        group=group[some],
    )


def keep_from_audit(workspace: Workspace, project: Project, report: Report) -> None:
    """Note the pool images that are near-duplicates of audit images: they are neither proposed nor trained on.

    Otherwise the accuracy would be measured on images that the model has as good as seen. The audit stays what it
    was, drawn uniformly over all images. An audit image whose file is gone counts, since it may come back.
    """
    store = workspace.store
    readable = store.images(project.id, state=ImageState.OK)
    gone = store.images(project.id, state=ImageState.MISSING, role=Role.AUDIT)
    images = [*(image for image in readable if image.role in (Role.POOL, Role.AUDIT)), *gone]
    audit = np.array([image.role is Role.AUDIT for image in images], bool)
    if project.config.image_root is None or not audit.any():
        return
    pairs = near(workspace, project, images, report)
    across = pairs[audit[pairs[:, 0]] != audit[pairs[:, 1]]].ravel()
    ids = sorted({images[i].id for i in across.tolist() if not audit[i]})
    store.set_setting(project.id, NEAR_AUDIT, {"image_ids": ids})


def near(workspace: Workspace, project: Project, images: Sequence[ImageInfo], report: Report) -> np.ndarray:
    """Pairs [M,2] of positions of near-duplicates; hashes are computed once for each content and kept."""
    root = Path(project.config.image_root or "")
    known = HashFile(files.folder(workspace, project) / files.HASHES)
    known.compute(
        [(image.content_hash, root / image.path) for image in images],
        lambda done, total: report(done, total, "Looking for near-duplicates"),
    )
    hashes = [known.get(image.content_hash) for image in images]
    rows = np.array([i for i, each in enumerate(hashes) if each is not None], np.int64)
    pairs = near_pairs(np.array([hashes[i] for i in rows.tolist()], np.uint64))
    x = unit_vectors(workspace, project, [images[i].content_hash for i in rows.tolist()])
    alike = [np.einsum("md,md->m", x[a], x[b]) >= COSINE for a, b in (part.T for part in _parts(pairs))]
    return np.asarray(rows[pairs[np.concatenate([np.empty(0, bool), *alike])]])


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
