"""The labeled images most like one of the pool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from fastapi.testclient import TestClient

from probal.pool.features import FeatureStore
from probal.types import Event, EventKind, ImageState, Project, Role
from probal.workspace import Workspace

Make = Callable[..., Project]
ASK = "/api/projects/shapes/images/{}/nearest"


def embed(workspace: Workspace, project: Project) -> dict[int, np.ndarray]:
    """Vectors on a circle, an angle per image in the order of their ids."""
    images = workspace.store.images(project.id, ImageState.OK)
    angles = np.linspace(0, 3, len(images))
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    FeatureStore(workspace.features_dir, "abc", 2).append([image.content_hash for image in images], vectors)
    facts = {"fingerprint": "abc", "width": 2, "scale": 15.0, "centred": False, "default_template": "{}"}
    workspace.store.set_setting(project.id, "encoder", facts)
    return {image.id: vector for image, vector in zip(images, vectors, strict=True)}


def test_they_come_by_cosine_with_their_class(client: TestClient, workspace: Workspace, ready: Make) -> None:
    project = ready()
    store = workspace.store
    vectors = embed(workspace, project)
    pool = [image.id for image in store.images(project.id, ImageState.OK, Role.POOL)]
    assert client.get(ASK.format(pool[0])).json() == []
    class_ids = [info.id for info in store.classes(project.id)]
    labels = {image_id: class_ids[i % 3] for i, image_id in enumerate(pool[3:20])}
    store.record(
        project.id,
        [Event(f"e{each}", EventKind.LABEL, "ada", 1, each, class_id) for each, class_id in labels.items()],
        require_lease=False,
    )
    found = client.get(ASK.format(pool[10]), params={"n": 3}).json()
    cosine = {each: float(vectors[each] @ vectors[pool[10]]) for each in labels if each != pool[10]}
    best = sorted(cosine, key=lambda each: -cosine[each])[:3]
    assert {one["image_id"] for one in found} == set(best)
    for one in found:
        assert abs(one["similarity"] - cosine[one["image_id"]]) < 1e-2  # float16 on disk
        assert one["class_id"] == labels[one["image_id"]]
        assert client.get(one["thumb"]).status_code == 200


def test_of_an_audit_image_nothing_is_told(client: TestClient, workspace: Workspace, ready: Make) -> None:
    project = ready()
    embed(workspace, project)
    audit = workspace.store.images(project.id, role=Role.AUDIT)[0]
    assert client.get(ASK.format(audit.id)).status_code == 400
