"""The labels of a project as rows for the exporters; needs no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from probal.export import ExportReport, ExportRow, export_labels
from probal.export.base import Progress
from probal.store import Store
from probal.types import Project, Role


def label_rows(store: Store, project: Project) -> list[ExportRow]:
    """One row per labeled pool or audit image, in the order of the paths.

    Audit labels carry their role: who trains on them has nothing uniform left to measure with. Test images,
    whose labels the user brought, are left out, and so are labels of archived classes.
    """
    names = {each.id: each.name for each in store.classes(project.id)}
    images = {image.id: image for image in store.images(project.id)}
    proposed = {
        proposal.image_id: each.index
        for each in store.rounds(project.id)
        for proposal in store.proposals(each.id)
    }
    when = {stored.row: stored.created_at for stored in store.events(project.id)}
    rows = [
        ExportRow(
            path=images[label.image_id].path,
            content_hash=images[label.image_id].content_hash,
            label=names[label.class_id],
            class_id=label.class_id,
            annotator=label.annotator,
            role=str(images[label.image_id].role),
            round=proposed.get(label.image_id),
            labeled_at=when.get(label.event_row),
        )
        for label in store.current_labels(project.id)
        if label.class_id in names and images[label.image_id].role is not Role.TEST
    ]
    return sorted(rows, key=lambda row: row.path)


def export(
    store: Store,
    project: Project,
    formats: Sequence[str],
    to: Path,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the labels to the folder `to` in each format and note the export; see `export_labels`."""
    root = Path(project.config.image_root) if project.config.image_root else None
    report = export_labels(label_rows(store, project), to, formats, root, progress)
    store.add_export(project.id, str(to.expanduser().absolute()), formats, max(report.counts.values()))
    return report
