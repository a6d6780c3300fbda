"""Image vectors of a project as unit rows, from the store of vectors. No torch.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from probal.errors import UserError
from probal.pool.features import FeatureStore
from probal.types import Project
from probal.workspace import Workspace

ENCODER_FACTS = "encoder"
"""Setting in which preparation keeps the encoder's fingerprint and width."""


def encoder_fingerprint(workspace: Workspace, project: Project) -> str:
    """Of the encoder whose vectors the project has. UserError before the images are embedded."""
    return str(_facts(workspace, project)["fingerprint"])


def unit_vectors(workspace: Workspace, project: Project, hashes: Sequence[str]) -> np.ndarray:
    """Unit rows [N,D] float32, centred where the encoder asks for it; zero for an image without a vector.

    UserError before the images are embedded.
    """
    facts = _facts(workspace, project)
    features = FeatureStore(workspace.features_dir, facts["fingerprint"], facts["width"])
    absent = set(features.missing(hashes))
    there = [i for i, each in enumerate(hashes) if each not in absent]
    rows = np.zeros((len(hashes), facts["width"]), np.float32)
    rows[there] = features.read([hashes[i] for i in there])
    if facts["centred"]:
        rows[there] -= np.load(workspace.snapshots_dir / str(project.id) / "centre.npy")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def _facts(workspace: Workspace, project: Project) -> dict[str, Any]:
    facts = workspace.store.get_setting(project.id, ENCODER_FACTS)
    if facts is None:
        raise UserError("the images are not embedded yet: wait for the Pool page to finish reading them")
    return dict(facts)
