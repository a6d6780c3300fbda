from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from probal.pool.features import FeatureStore
from probal.pool.predictions import predictions_path, write_predictions
from probal.types import ImageState, Project, Role
from probal.workspace import Workspace
from tests.drawn import ready, workspace

__all__ = ["explored", "ready", "workspace"]
WIDTH = 6


def embed(workspace: Workspace, project: Project, seed: int = 0) -> np.ndarray:
    """Vectors of every readable image as preparation would leave them, clustered by shape; [N,6] of the pool's."""
    images = workspace.store.images(project.id, state=ImageState.OK)
    rng = np.random.default_rng(seed)
    rows = np.eye(3, WIDTH)[[int(Path(image.path).stem) % 3 for image in images]]
    rows = (rows + rng.normal(0, 0.05, rows.shape)).astype(np.float32)
    FeatureStore(workspace.features_dir, "c0102a", WIDTH).append(
        [image.content_hash for image in images], rows
    )
    workspace.store.set_setting(
        project.id,
        "encoder",
        {"fingerprint": "c0102a", "width": WIDTH, "scale": 15.0, "centred": False, "default_template": "{}"},
    )
    return rows[[image.role is Role.POOL for image in images]]


def predict(workspace: Workspace, project: Project) -> None:
    """Predictions of the unlabeled pool as the worker would leave them: the true shape with 0.5 to 0.95."""
    store = workspace.store
    labeled = {each.image_id for each in store.current_labels(project.id)}
    images = [
        image
        for image in store.images(project.id, state=ImageState.OK, role=Role.POOL)
        if image.id not in labeled
    ]
    p = np.full((len(images), 3), 0.0, np.float32)
    sure = np.linspace(0.5, 0.95, len(images)).astype(np.float32)
    for i, image in enumerate(images):
        p[i] = (1 - sure[i]) / 2
        p[i, int(Path(image.path).stem) % 3] = sure[i]
    entropy = -(p * np.log(p)).sum(1)
    write_predictions(
        predictions_path(workspace.snapshots_dir, project.id),
        [image.id for image in images],
        [each.id for each in store.classes(project.id)],
        p,
        entropy,
        entropy / 2,
    )


@pytest.fixture
def explored(workspace: Workspace, ready: Callable[..., Project]) -> Project:
    """36 drawn shapes with vectors and predictions, five of them audit images."""
    project = ready(n=36)
    embed(workspace, project)
    predict(workspace, project)
    return project
