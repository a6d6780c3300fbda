"""What the latest model says about the unlabeled pool, on disk for whoever shows it. No torch.

One `.npy` file of records in groups by likeliest class, the surest first, written whole or not at all by the
worker with each round. Readers map it into memory, so that 100,000 images cost a page of them no more than 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

TOP = 5
"""Likeliest classes kept per image."""
_RECORD = np.dtype(
    [
        ("image_id", "<i8"),
        ("class_ids", "<i8", (TOP,)),
        ("p", "<f4", (TOP,)),
        ("total", "<f4"),
        ("aleatoric", "<f4"),
    ]
)
NO_CLASS = -1
"""Fills `class_ids` where a project has fewer than `TOP` classes."""


@dataclass(frozen=True)
class PoolPredictions:
    """Records [N] in the order of the file, as the worker wrote them."""

    records: np.ndarray  # [N] of _RECORD

    def groups(self) -> dict[int, slice]:
        """Where the images of each likeliest class lie, in the order of the file; empty classes are absent."""
        first = self.records["class_ids"][:, 0]
        starts = np.flatnonzero(np.diff(first, prepend=NO_CLASS - 1)).tolist()
        return {int(first[a]): slice(a, b) for a, b in pairwise([*starts, len(first)])}


def predictions_path(snapshots: Path, project_id: int) -> Path:
    """Where the predictions of a project lie below the workspace's folder of snapshots."""
    return snapshots / str(project_id) / "predictions.npy"


def write_predictions(
    path: Path,
    image_ids: Sequence[int],
    class_ids: Sequence[int],
    probabilities: np.ndarray,
    total: np.ndarray,
    aleatoric: np.ndarray,
) -> None:
    """Write predictive probabilities [N,C] of images [N] over classes [C], entropies [N] in nats beside them."""
    n, k = len(image_ids), min(TOP, len(class_ids))
    records = np.zeros(n, _RECORD)
    records["class_ids"] = NO_CLASS
    if n:
        top = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
        records["class_ids"][:, :k] = np.asarray(class_ids, np.int64)[top]
        records["p"][:, :k] = np.take_along_axis(probabilities, top, 1)
        records["image_id"] = image_ids
        records["total"], records["aleatoric"] = total, aleatoric
        records = records[np.lexsort((-records["p"][:, 0], top[:, 0]))]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, records)
    partial.replace(path)


def read_predictions(path: Path) -> PoolPredictions | None:
    """The predictions at `path`, mapped; None before the first round, or where another version wrote them."""
    try:
        records = np.load(path, mmap_mode="r")
    except FileNotFoundError:
        return None
    return PoolPredictions(records) if records.dtype == _RECORD else None
