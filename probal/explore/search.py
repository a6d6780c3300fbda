"""Images by likeness: to other images, to a text, to a class; or by their place on the map.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from probal.explore import files
from probal.explore.catalog import Catalog
from probal.explore.vectors import encoder_fingerprint, unit_vectors
from probal.types import Project
from probal.workspace import Workspace


def likeness(workspace: Workspace, project: Project, catalog: Catalog, examples: Sequence[int]) -> np.ndarray:
    """Largest cosine [N] of each image of the catalog to one of the examples, given as image ids.

    The largest and not that to their mean: examples of a class may look different from each other.
    """
    x = all_vectors(workspace, project, catalog)
    rows = catalog.rows(examples)
    return np.asarray((x @ x[rows].T).max(1, initial=-1.0))


def text_likeness(workspace: Workspace, project: Project, catalog: Catalog, text: str) -> np.ndarray | None:
    """Cosine [N] of each image to a text; None where the worker has not read the text yet."""
    path = files.text_path(workspace, project, encoder_fingerprint(workspace, project), text)
    found = files.read_arrays(path)
    return None if found is None else np.asarray(all_vectors(workspace, project, catalog) @ found["vector"])


def class_likeness(workspace: Workspace, project: Project, catalog: Catalog, class_id: int) -> np.ndarray:
    """How much [N] each image is like a class: by its labeled images, and before the first by its probability."""
    examples = catalog.ids[catalog.label == class_id]
    if len(examples):
        return likeness(workspace, project, catalog, examples.tolist())
    return np.asarray(np.where(catalog.class_ids == class_id, catalog.p, 0).max(1, initial=0.0))


def around(catalog: Catalog, centres: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """The `n` of `rows` [M] that lie closest on the map to one of the rows `centres`, in the order of `rows`.

    Centres and rows off the map count for nothing; fewer than `n` where there are no more.
    """
    xy = catalog.xy[centres]
    xy, rows = xy[np.isfinite(xy[:, 0])], rows[np.isfinite(catalog.xy[rows, 0])]
    if not len(xy) or not len(rows):
        return rows[:0]
    away, _ = cKDTree(xy).query(catalog.xy[rows])
    return np.asarray(rows[np.sort(np.argsort(away, kind="stable")[:n])])


def all_vectors(workspace: Workspace, project: Project, catalog: Catalog) -> np.ndarray:
    """Unit rows [N,D] of the catalog's images."""
    return unit_vectors(workspace, project, [image.content_hash for image in catalog.images])
