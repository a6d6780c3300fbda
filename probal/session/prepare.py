"""Preparation of a project: the folder becomes rows in the store and vectors on disk, and the audit is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from probal.encoders import Encoder
from probal.errors import UserError
from probal.evaluation import audit_size, draw_audit, extend_audit
from probal.pool.embed import embed_images
from probal.pool.features import FeatureStore
from probal.pool.scan import scan_folder
from probal.session.space import EncoderFacts, mean_vector
from probal.store import REFERENCE
from probal.types import Event, EventKind, ImageInfo, ImageState, Project, Role
from probal.workspace import TEST_LABELS, Workspace

ENCODER_FACTS = "encoder"


Report = Callable[[int, int, str], None]


def prepare(
    workspace: Workspace,
    project: Project,
    encoder: Callable[[], Encoder],
    progress: Report | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Scan, embed, apply test labels, reserve the audit; each part skips what is done already.

    Raises UserError where the folder is gone or holds no readable image, and where `stop` ended it.
    """
    store = workspace.store
    report = progress or (lambda done, total, message: None)
    if project.config.image_root is None:
        raise UserError(f"project '{project.name}' has no image folder")
    root = Path(project.config.image_root)
    scanned = scan_folder(
        root, store.scanned(project.id), lambda done, total: report(done, total, "Reading the images")
    )
    store.sync_images(project.id, scanned)
    _apply_test_labels(workspace, project)

    report(0, 0, "Loading the encoder")
    model = encoder()
    features = FeatureStore(workspace.features_dir, model.fingerprint, model.width)
    images = store.images(project.id, state=ImageState.OK)
    outcome = embed_images(
        model,
        features,
        [(image.content_hash, root / image.path) for image in images],
        progress=lambda done, total: report(done, total, "Computing image vectors"),
        stop=stop,
    )
    for content_hash, reason in outcome.failed:
        store.mark_unreadable(project.id, content_hash, reason)
    if outcome.stopped:
        raise UserError("stopped; the vectors computed so far are kept and the next run goes on from there")
    readable = store.images(project.id, state=ImageState.OK)
    if not readable:
        raise UserError(
            f"none of the {len(images)} images in {root} could be read; see the Pool page for why"
        )
    _freeze(workspace, project, model, features, readable)
    _reserve_audit(workspace, project, readable)


def centre_path(workspace: Workspace, project: Project) -> Path:
    """Where the project's frozen centre lies."""
    return workspace.snapshots_dir / str(project.id) / "centre.npy"


def _freeze(
    workspace: Workspace,
    project: Project,
    encoder: Encoder,
    features: FeatureStore,
    readable: list[ImageInfo],
) -> None:
    path = centre_path(workspace, project)
    facts = asdict(EncoderFacts.of(encoder))
    if workspace.store.get_setting(project.id, ENCODER_FACTS) == facts and (
        path.exists() or not encoder.centred
    ):
        return
    if encoder.centred:
        path.parent.mkdir(parents=True, exist_ok=True)
        centre = mean_vector(features, [each.content_hash for each in readable if each.role is not Role.TEST])
        with path.with_suffix(".partial").open("wb") as file:
            np.save(file, centre)
        path.with_suffix(".partial").replace(path)
    workspace.store.set_setting(project.id, ENCODER_FACTS, facts)


def _apply_test_labels(workspace: Workspace, project: Project) -> None:
    """Images that the user labeled for testing get their role and a label event each, once."""
    store = workspace.store
    wanted: dict[str, str] = store.get_setting(project.id, TEST_LABELS) or {}
    if not wanted:
        return
    class_id = {each.name: each.id for each in store.classes(project.id)}
    images = [image for image in store.images(project.id, state=ImageState.OK) if image.path in wanted]
    store.set_role(project.id, [image.id for image in images], Role.TEST)
    store.record(
        project.id,
        [
            Event(
                event_id=str(
                    uuid5(NAMESPACE_URL, f"probal:test:{project.id}:{image.id}:{wanted[image.path]}")
                ),
                kind=EventKind.LABEL,
                annotator=REFERENCE,
                image_id=image.id,
                class_id=class_id[wanted[image.path]],
            )
            for image in images
        ],
        require_lease=False,
    )


def _reserve_audit(workspace: Workspace, project: Project, readable: list[ImageInfo]) -> None:
    """Draw the audit set uniformly, and extend it when the pool has grown; none beside a test set."""
    if any(image.role is Role.TEST for image in readable):
        return
    hashes = [image.content_hash for image in readable]
    before = [image.content_hash for image in readable if image.role is Role.AUDIT]
    size = audit_size(len(readable), project.config.audit)
    seed = project.config.seed
    audit = set(extend_audit(hashes, before, size, seed) if before else draw_audit(hashes, size, seed))
    for role in (Role.AUDIT, Role.POOL):
        moved = [
            image.id
            for image in readable
            if (image.content_hash in audit) == (role is Role.AUDIT) and image.role is not role
        ]
        workspace.store.set_role(project.id, moved, role)
