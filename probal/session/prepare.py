"""Preparation of a project: the folder becomes rows in the store and vectors on disk, and the audit is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from probal.encoders import Encoder
from probal.encoders.vectors import VectorTable
from probal.errors import UserError
from probal.evaluation import audit_size, draw_audit, extend_audit
from probal.explore.duplicates import keep_from_audit
from probal.pool.embed import embed_images
from probal.pool.features import FeatureStore, activation_store
from probal.pool.scan import scan_folder
from probal.pool.vector_scan import scan_vectors
from probal.session.advice import watch_drift
from probal.session.space import EncoderFacts, mean_vector
from probal.store import REFERENCE
from probal.types import Event, EventKind, ImageInfo, ImageState, Project, Role
from probal.workspace import TEST_LABELS, Workspace

ENCODER_FACTS = "encoder"
_ROWS = 16_384  # vectors copied at a time


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
    own = workspace.own_vectors(project)
    root = None if project.config.image_root is None else Path(project.config.image_root)
    _scan(workspace, project, own, root, report)
    _apply_test_labels(workspace, project)

    report(0, 0, "Loading the encoder")
    model = encoder()
    features = FeatureStore(workspace.features_dir, model.fingerprint, model.width)
    images = store.images(project.id, state=ImageState.OK)
    if own is not None:
        _copy_vectors(own, features, images, report)
    else:
        assert root is not None
        _embed(workspace, project, model, features, images, root, report, stop)
    readable = store.images(project.id, state=ImageState.OK)
    if not readable:
        raise UserError(
            f"none of the {len(images)} images in {root or 'the project'} could be read; "
            "see the Pool page for why"
        )
    _freeze(workspace, project, model, features, readable)
    _reserve_audit(workspace, project, readable)
    keep_from_audit(workspace, project, report)
    centre = np.load(centre_path(workspace, project)) if model.centred else None
    watch_drift(workspace, project, features, centre, readable)


def _scan(
    workspace: Workspace, project: Project, own: VectorTable | None, root: Path | None, report: Report
) -> None:
    """Bring the store in line with the folder, or with the vectors that the user brought."""
    known = workspace.store.scanned(project.id)

    def reading(done: int, total: int) -> None:
        report(done, total, "Reading the images")

    if own is not None:
        scanned = scan_vectors(own, root, known, reading)
    elif root is not None:
        scanned = scan_folder(root, known, reading)
    else:
        raise UserError(f"project '{project.name}' has no image folder")
    workspace.store.sync_images(project.id, scanned)


def _embed(
    workspace: Workspace,
    project: Project,
    model: Encoder,
    features: FeatureStore,
    images: list[ImageInfo],
    root: Path,
    report: Report,
    stop: Callable[[], bool] | None,
) -> None:
    """Compute the vectors that are missing; an image that cannot be decoded is marked with the reason."""
    outcome = embed_images(
        model,
        features,
        [(image.content_hash, root / image.path) for image in images],
        progress=lambda done, total: report(done, total, "Computing image vectors"),
        stop=stop,
        activations=activation_store(workspace.features_dir, model),
    )
    for content_hash, reason in outcome.failed:
        workspace.store.mark_unreadable(project.id, content_hash, reason)
    if outcome.stopped:
        raise UserError("stopped; the vectors computed so far are kept and the next run goes on from there")


def _copy_vectors(own: VectorTable, features: FeatureStore, images: list[ImageInfo], report: Report) -> None:
    """The user's vectors into the store of vectors, each under the content of its image."""
    missing = set(features.missing([image.content_hash for image in images]))
    row = {name: i for i, name in enumerate(own.names)}
    todo = [(image.content_hash, row[image.path]) for image in images if image.content_hash in missing]
    for start in range(0, len(todo), _ROWS):
        hashes, rows = zip(*todo[start : start + _ROWS], strict=True)
        features.append(hashes, own.x[list(rows)])
        report(min(start + _ROWS, len(todo)), len(todo), "Copying the vectors")


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
    class_id = store.class_names_ever(project.id)  # the split names the classes as they were called first
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
    """Draw the audit set uniformly, and extend it when the pool has grown; none beside a test set.

    What a model may have been fitted on, or a strategy chose, never enters.
    """
    if any(image.role is Role.TEST for image in readable):
        return
    store = workspace.store
    # before the first round there is no model, and labels brought along speak for no image
    used = set() if store.latest_round(project.id) is None else store.used_images(project.id)
    drawn = store.images(project.id, role=Role.AUDIT)  # those whose files are gone too: they may come back
    before = [image.content_hash for image in drawn if image.id not in used]
    free = {image.content_hash for image in readable if image.id not in used}
    size = audit_size(len(readable), project.config.audit)
    seed = project.config.seed
    audit = set(
        extend_audit(free, before, size, seed) if before else draw_audit(free, min(size, len(free)), seed)
    )
    for role in (Role.AUDIT, Role.POOL):
        moved = {
            image.id
            for image in (*readable, *drawn)
            if (image.content_hash in audit) == (role is Role.AUDIT) and image.role is not role
        }
        store.set_role(project.id, moved, role)
