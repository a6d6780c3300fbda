"""The labels of a project as rows for the exporters, all or a chosen part of them; needs no model and no torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from probal.errors import UserError
from probal.export import ExportReport, ExportRow, export_labels
from probal.export.base import Exporter, Progress
from probal.export.coverage import cover_classes
from probal.export.filters import Filter
from probal.pool.features import FeatureStore
from probal.store import Store
from probal.types import EventKind, Project, Role
from probal.workspace import Workspace

_LABELING = (EventKind.LABEL, EventKind.CONFIRM, EventKind.ADJUDICATE)
_ENCODER = "encoder"
"""Setting in which the preparation keeps the encoder's facts."""


def label_rows(store: Store, project: Project) -> list[ExportRow]:
    """One row per labeled pool or audit image, in the order of the paths.

    Audit labels carry their role: who trains on them has nothing uniform left to measure with. Test images,
    whose labels the user brought, are left out, and so are labels of archived classes.
    """
    names = {each.id: each.name for each in store.classes(project.id)}
    merged = store.merged_classes(project.id)
    images = {image.id: image for image in store.images(project.id)}
    proposed = {
        proposal.image_id: (each.index, proposal.predicted[:1])
        for each in store.rounds(project.id)
        for proposal in store.proposals(each.id)
    }
    events = {stored.row: stored for stored in store.events(project.id)}
    answers: defaultdict[int, dict[str, int | None]] = defaultdict(
        dict
    )  # image: the class each person gave last
    for stored in events.values():
        if stored.active and stored.event.kind in _LABELING and stored.event.image_id is not None:
            answers[stored.event.image_id][stored.event.annotator] = merged.get(stored.event.class_id or 0)
    rows = []
    for label in store.current_labels(project.id):
        image = images[label.image_id]
        if label.class_id not in names or image.role is Role.TEST:
            continue
        round_index, likeliest = proposed.get(label.image_id, (None, ()))
        given = answers[label.image_id]
        predicted = [(names[merged[c]], p) for c, p in likeliest if merged.get(c) in names]
        rows.append(
            ExportRow(
                path=image.path,
                content_hash=image.content_hash,
                label=names[label.class_id],
                class_id=label.class_id,
                annotator=label.annotator,
                role=str(image.role),
                round=round_index,
                labeled_at=events[label.event_row].created_at,
                given=str(events[label.event_row].event.kind),
                annotators=len(given),
                agreement=sum(each == label.class_id for each in given.values()) / len(given),
                predicted=predicted[0][0] if predicted else None,
                probability=predicted[0][1] if predicted else None,
            )
        )
    return sorted(rows, key=lambda row: row.path)


def curated(workspace: Workspace, project: Project, rows: Sequence[ExportRow], k: int) -> list[ExportRow]:
    """`k` rows per class that stand for the others, in their order; see `probal.export.coverage`.

    Audit images are left out: a support set is to be trained on, and they are what measures. A class with fewer
    gives all it has. Raises UserError for k below 1 and where the images have no vectors yet.
    """
    if k < 1:
        raise UserError(f"{k} images per class: give 1 or more")
    own = [row for row in rows if row.role != Role.AUDIT]
    chosen = cover_classes(_unit_rows(workspace, project, own), [row.label for row in own], k)
    return [own[i] for i in chosen]


def short_classes(rows: Sequence[ExportRow], k: int) -> dict[str, int]:
    """Classes with some, but fewer than `k` rows."""
    return {label: n for label, n in sorted(Counter(row.label for row in rows).items()) if n < k}


def export(
    store: Store,
    project: Project,
    formats: Sequence[str],
    to: Path,
    progress: Progress | None = None,
    rows: Sequence[ExportRow] | None = None,
    more: Mapping[str, Exporter] | None = None,
) -> ExportReport:
    """Write rows (None: all labels) to the folder `to` in each format and note the export; see `export_labels`."""
    root = Path(project.config.image_root) if project.config.image_root else None
    if rows is None:
        rows = label_rows(store, project)
    report = export_labels(rows, to, formats, root, progress, more)
    store.add_export(project.id, str(to.expanduser().absolute()), formats, max(report.counts.values()))
    return report


def chosen_rows(
    workspace: Workspace, project: Project, wanted: Filter, per_class: int | None = None
) -> list[ExportRow]:
    """The labels that pass `wanted`, thinned to `per_class` of each class where it is given.

    Raises UserError where labels exist and none of them passes.
    """
    rows = label_rows(workspace.store, project)
    kept = wanted.apply(rows)
    if per_class is not None:
        kept = curated(workspace, project, kept, per_class)
    if rows and not kept:
        raise UserError(f"none of the {len(rows):,} labels passes the filters: ask for less")
    return kept


def _unit_rows(workspace: Workspace, project: Project, rows: Sequence[ExportRow]) -> np.ndarray:
    """Vectors of the rows less the project's centre, at unit length, [n,D]."""
    facts = workspace.store.get_setting(project.id, _ENCODER)
    if facts is None:
        raise UserError(
            f"the images of '{project.name}' have no vectors yet; run: probal embed {project.name}"
        )
    features = FeatureStore(workspace.features_dir, facts["fingerprint"], facts["width"])
    vectors = features.read([row.content_hash for row in rows])
    if facts["centred"]:
        vectors = vectors - np.load(workspace.snapshots_dir / str(project.id) / "centre.npy")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
