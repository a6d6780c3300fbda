"""Clusters of images that fit no class: what the model is unsure of and what lies close together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probal.explore.catalog import NONE, Catalog
from probal.explore.search import all_vectors
from probal.types import Project
from probal.workspace import Workspace

SHARE = 0.25
"""Of the unlabeled images: those least sure of their class are looked at."""
MOST = 4000
FEWEST = 5
"""Images of a cluster at least."""
CLUSTERS = 12


@dataclass(frozen=True, eq=False)
class Cluster:
    """Images that may be a class of their own."""

    rows: np.ndarray  # rows of the catalog, the most typical first
    confidence: float
    """Mean probability of the likeliest class."""


def unfit_clusters(workspace: Workspace, project: Project, catalog: Catalog) -> list[Cluster]:
    """Clusters (HDBSCAN, Campello et al. 2013) among the unlabeled images that no class is sure of.

    Those least sure of a class come first. Empty where there are no predictions, or nothing clusters.
    """
    unsure = least_sure(catalog)
    if len(unsure) < 2 * FEWEST:
        return []
    from sklearn.cluster import HDBSCAN  # slow to import
    from sklearn.decomposition import PCA

    x = all_vectors(workspace, project, catalog)[unsure]
    width = min(20, len(unsure) - 1, x.shape[1])
    low = PCA(width, random_state=project.config.seed).fit_transform(x)
    found = HDBSCAN(min_cluster_size=FEWEST, copy=True).fit_predict(low)
    clusters = []
    for number in range(found.max() + 1):
        at = np.flatnonzero(found == number)
        rows = unsure[at][np.argsort(-(x[at] @ x[at].mean(0)), kind="stable")]
        clusters.append(Cluster(rows, float(catalog.p[rows, 0].mean())))
    return sorted(clusters, key=lambda each: each.confidence)[:CLUSTERS]


def least_sure(catalog: Catalog) -> np.ndarray:
    """Rows of the quarter of the predicted images with the smallest probability of their class, at most 4,000."""
    rows = np.flatnonzero((catalog.predicted != NONE) & ~catalog.flagged)
    some = min(MOST, max(2 * FEWEST, int(SHARE * len(rows))))
    return rows[np.argsort(catalog.p[rows, 0], kind="stable")[:some]]
