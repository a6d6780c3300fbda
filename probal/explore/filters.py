"""Which images of a catalog someone wants to see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probal.explore.catalog import NONE, Catalog


@dataclass(frozen=True)
class Filter:
    """Every condition must hold; one that is empty or None does not count."""

    labels: tuple[int, ...] = ()
    """Class ids of the label."""
    predicted: tuple[int, ...] = ()
    """Class ids of the prediction."""
    labeled: bool | None = None
    confidence: tuple[float, float] | None = None
    """Probability of the predicted class, from and to; images without a prediction do not pass."""
    flagged: bool = False
    duplicates: bool = False
    """Only members of a group of near-duplicates."""
    disagreement: bool = False
    """Only images that people gave different classes."""
    annotators: tuple[str, ...] = ()
    rounds: tuple[int, ...] = ()
    """Indices of the rounds in which the label was given."""
    path: str = ""
    """Part of the path, in any case of letters."""


def matching(catalog: Catalog, wanted: Filter) -> np.ndarray:
    """Rows [M] of the images that pass, in the catalog's order."""
    keep = np.ones(len(catalog), bool)
    if wanted.labels:
        keep &= np.isin(catalog.label, wanted.labels)
    if wanted.predicted:
        keep &= np.isin(catalog.predicted, wanted.predicted)
    if wanted.labeled is not None:
        keep &= (catalog.label != NONE) == wanted.labeled
    if wanted.confidence is not None:
        low, high = wanted.confidence
        # a slider ends on whole percents, a probability does not
        keep &= (catalog.predicted != NONE) & (catalog.p[:, 0] >= low) & (catalog.p[:, 0] <= high + 1e-6)
    if wanted.flagged:
        keep &= catalog.flagged
    if wanted.duplicates:
        keep &= catalog.group != NONE
    if wanted.disagreement:
        keep &= catalog.disagreement
    if wanted.annotators:
        named = [i for i, name in enumerate(catalog.annotators) if name in wanted.annotators]
        keep &= np.isin(catalog.annotator, named)
    if wanted.rounds:
        keep &= np.isin(catalog.round, wanted.rounds)
    rows = np.flatnonzero(keep)
    if wanted.path:
        part = wanted.path.casefold()
        rows = rows[[part in catalog.images[i].path.casefold() for i in rows.tolist()]]
    return rows
