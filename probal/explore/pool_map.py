"""The map of a pool: image vectors in two dimensions, those that are alike side by side.

PCA to 50 dimensions takes noise and most of the time away; UMAP (McInnes et al. 2018, `umap-learn`) does the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from probal.explore import files
from probal.explore.vectors import encoder_fingerprint, unit_vectors
from probal.types import ImageInfo, ImageState, Project, Role
from probal.workspace import Workspace

MOST = 50_000
"""Images on the map; of a larger pool a uniform sample."""
PCA_WIDTH = 50
NEIGHBOURS = 15
FEWEST = 5
"""UMAP lays out a neighbour graph by its eigenvectors, which fewer images do not have; PCA places them instead."""

Report = Callable[[int, int, str], None]


def draw_map(workspace: Workspace, project: Project, report: Report) -> None:
    """Place the pool's images and keep the places on disk; a map of the same vectors is left as it is."""
    some = on_the_map(
        workspace.store.images(project.id, state=ImageState.OK, role=Role.POOL), project.config.seed
    )
    fingerprint = map_fingerprint(workspace, project, some)
    path = files.folder(workspace, project) / files.MAP
    before = files.read_arrays(path)
    if before is not None and str(before["fingerprint"]) == fingerprint:
        return
    x = unit_vectors(workspace, project, [image.content_hash for image in some])
    xy = place(x, project.config.seed, report)
    files.write_arrays(
        path,
        image_id=np.array([image.id for image in some], np.int64),
        xy=xy,
        fingerprint=np.array(fingerprint),
    )


def on_the_map(images: Sequence[ImageInfo], seed: int, most: int = MOST) -> list[ImageInfo]:
    """All images up to `most`, else those with the smallest keyed hashes: the sample of a pool that grows changes
    little. By id."""
    if len(images) <= most:
        return list(images)

    def key(image: ImageInfo) -> bytes:
        return hashlib.blake2b(f"{seed}:{image.content_hash}".encode(), digest_size=16).digest()

    return sorted(sorted(images, key=key)[:most], key=lambda image: image.id)


def map_fingerprint(workspace: Workspace, project: Project, images: Sequence[ImageInfo]) -> str:
    """Of the vectors that a map is drawn from."""
    hashes = "\n".join(sorted(image.content_hash for image in images))
    return hashlib.sha256(f"{encoder_fingerprint(workspace, project)}\n{hashes}".encode()).hexdigest()


def place(x: np.ndarray, seed: int, report: Report) -> np.ndarray:
    """Unit rows [N,D] to places [N,2] float32, each axis within −1 to 1; the same for the same seed."""
    from sklearn.decomposition import PCA  # slow to import, and only a job comes here

    report(0, 3, "Finding the directions that matter")
    n = len(x)
    width = min(PCA_WIDTH, x.shape[1], n)
    if n <= FEWEST:
        flat = np.zeros((n, 2), np.float32)
        if n > 1:
            found = PCA(min(2, width), random_state=seed).fit_transform(x)
            flat[:, : found.shape[1]] = found
        return _fit_in(flat)
    reduced = PCA(width, random_state=seed).fit_transform(x).astype(np.float32)
    report(1, 3, "Placing the images, which takes minutes for tens of thousands")
    from umap import UMAP

    layout = UMAP(
        n_neighbors=min(NEIGHBOURS, n - 1),
        min_dist=0.1,
        init="pca",  # the spectral start fails on graphs that fall apart, and is slower
        random_state=seed,
        n_jobs=1,  # what a seed asks for; said, so that umap does not warn of it
    ).fit_transform(reduced)
    report(2, 3, "Writing the map")
    return _fit_in(np.asarray(layout, np.float32))


def _fit_in(xy: np.ndarray) -> np.ndarray:
    """Moved and scaled, one factor for both axes, into −1 to 1."""
    if not len(xy):
        return xy
    middle = (xy.max(0) + xy.min(0)) / 2
    reach = np.abs(xy - middle).max()
    return np.asarray((xy - middle) / (reach if reach > 0 else 1), np.float32)
