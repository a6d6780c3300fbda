"""A round's model on disk: the posterior's tensors and its predictions for the held-out images."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from probal.tensor_file import read_tensors, write_tensors
from probal.types import Project
from probal.workspace import Workspace

FORMAT = "probal-round-1"
_IDS, _PROBABILITIES, _CLASSES = "held_out_ids", "held_out_probabilities", "class_ids"


def snapshot_path(workspace: Workspace, project: Project, index: int) -> Path:
    """Where the model of a round lies."""
    return workspace.snapshots_dir / str(project.id) / f"round-{index:05d}.safetensors"


@dataclass(frozen=True)
class HeldOutPredictions:
    """What a round's model said about audit and test images when it was fitted."""

    image_ids: np.ndarray  # [m]
    class_ids: np.ndarray  # [C]
    probabilities: np.ndarray  # [m,C]

    def in_classes(self, class_ids: Sequence[int], merged: Mapping[int, int]) -> np.ndarray:
        """The probabilities for these classes [m,C+1], when the round may have known others.

        `merged` names the class that each is read as now. A class that came later has none; the last column holds
        what went to classes that are archived.
        """
        position = {class_id: i for i, class_id in enumerate(class_ids)}
        found = np.zeros((len(self.image_ids), len(class_ids) + 1), self.probabilities.dtype)
        for column, class_id in enumerate(self.class_ids.tolist()):
            at = position.get(merged.get(class_id, class_id), len(class_ids))
            found[:, at] += self.probabilities[:, column]
        return found


def write_snapshot(
    path: Path,
    tensors: Mapping[str, Tensor],
    class_ids: Sequence[int],
    image_ids: Sequence[int],
    predicted: Tensor | None,
) -> str:
    """Write safetensors at `path`, whole or not at all; returns the file's sha256.

    `predicted` [m,C] belongs to `image_ids` [m]; None where there is no held-out image.
    """
    held_out = torch.empty(0, len(class_ids)) if predicted is None else predicted
    everything = {
        **tensors,
        _IDS: torch.tensor(image_ids, dtype=torch.int64),
        _CLASSES: torch.tensor(class_ids, dtype=torch.int64),
        _PROBABILITIES: held_out,
    }
    return write_tensors(path, everything, FORMAT, {})


def read_held_out(path: Path) -> HeldOutPredictions | None:
    """The predictions in a snapshot; None where the file is gone (a workspace moved without its snapshots)."""
    if not path.exists():
        return None
    saved = _read(path, {_IDS, _CLASSES, _PROBABILITIES})
    return HeldOutPredictions(*(saved[name].numpy() for name in (_IDS, _CLASSES, _PROBABILITIES)))


def read_fit(path: Path, class_ids: Sequence[int]) -> dict[str, Tensor] | None:
    """The posterior's tensors in a snapshot; None where the file is gone or the model is of other classes."""
    if not path.exists():
        return None
    saved = _read(path)
    if saved[_CLASSES].tolist() != list(class_ids):
        return None
    return {name: value for name, value in saved.items() if name not in (_IDS, _PROBABILITIES, _CLASSES)}


def _read(path: Path, names: Container[str] | None = None) -> dict[str, Tensor]:
    remedy = "delete it, the store keeps what was measured"
    saved, _ = read_tensors(path, FORMAT, "a round's model", remedy, names)
    return saved
