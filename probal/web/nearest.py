"""The labeled images most like one image, by the vectors that the encoder left on disk. No torch."""

from __future__ import annotations

import numpy as np

from probal.errors import UserError
from probal.pool.features import FeatureStore
from probal.types import Project, Role
from probal.web.models import Nearest
from probal.web.security import image_url
from probal.workspace import Workspace

THUMB = 96
ENCODER_FACTS = "encoder"
"""Setting in which preparation keeps the encoder's fingerprint and width."""


def nearest_labeled(workspace: Workspace, project: Project, image_id: int, n: int) -> list[Nearest]:
    """Up to `n` labeled pool images by cosine, the most alike first; empty before the first label.

    Raises:
        UserError: no such image, or one of the audit or test set, of which nothing is told.
    """
    store = workspace.store
    image = store.image(project.id, image_id)
    if image.role is not Role.POOL:
        raise UserError(f"image {image_id} is not one of the pool")
    labels = {
        label.image_id: label.class_id
        for label in store.current_labels(project.id, Role.POOL)
        if label.image_id != image_id
    }
    facts = store.get_setting(project.id, ENCODER_FACTS)
    if not labels or facts is None:
        return []
    hashes = {
        one.id: one.content_hash for one in store.images(project.id, role=Role.POOL) if one.id in labels
    }
    features = FeatureStore(workspace.features_dir, facts["fingerprint"], facts["width"])
    absent = set(features.missing([image.content_hash, *hashes.values()]))
    if image.content_hash in absent:
        return []
    others = [(each, digest) for each, digest in hashes.items() if digest not in absent]
    vectors = features.read([image.content_hash, *(digest for _, digest in others)])
    if facts["centred"]:
        vectors = vectors - np.load(workspace.snapshots_dir / str(project.id) / "centre.npy")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)  # [1+n,D]
    cosine = unit[1:] @ unit[0]  # [n]
    return [
        Nearest(
            image_id=others[i][0],
            thumb=image_url(workspace.token, others[i][1], THUMB),
            class_id=labels[others[i][0]],
            similarity=float(cosine[i]),
        )
        for i in np.argsort(-cosine, kind="stable")[:n].tolist()
    ]
