"""Labels made elsewhere: what a file would store in a project, then storing it or taking it back. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probal import label_import, labeling, validate
from probal.errors import UserError
from probal.label_import import LabelsFile, Match
from probal.store import REFERENCE, Store
from probal.types import ClassInfo, Event, JobKind, Project

UNNAMED = "import"
"""Whose labels they are where neither the file nor the user says."""


@dataclass(frozen=True)
class ImportPlan:
    """A file of labels, matched with a project; nothing is stored yet."""

    file: LabelsFile
    found: Match
    classes: tuple[ClassInfo, ...]
    events: tuple[Event, ...]
    """One label for each image that has exactly one in the file."""
    new: tuple[Event, ...]
    """What would store those that do not stand yet."""
    undo: tuple[Event, ...]
    """What would take those back that stand."""

    @property
    def people(self) -> Counter[str]:
        """How many labels each annotator has in it."""
        return Counter(event.annotator for event in self.events)

    def require_all(self) -> None:
        """UserError that tells of everything in the file that does not fit; nothing where all does."""
        label_import.require_all(self.found, self.classes)


def plan(store: Store, project: Project, source: Path, annotator: str | None = None) -> ImportPlan:
    """Read a file or folder of labels and match it with the project's images and classes.

    Args:
        annotator: whose labels these are; None for whom the file names, else `UNNAMED`.

    Raises:
        UserError: the file does not read, the name cannot be used, or the images have not been read yet.
    """
    if annotator is not None and validate.annotator(annotator) == REFERENCE:
        raise UserError(f"the name {REFERENCE!r} is kept for labels that came with the images: use another")
    file = label_import.read_labels(source)
    images = store.images(project.id)
    if not images:
        raise UserError(
            f"the images of {project.name} have not been read yet: run probal embed {project.name} first"
        )
    classes = store.classes(project.id)
    found = label_import.match(file, images, classes, Path(project.config.image_root or ""))
    names = {
        image_id: validate.annotator(annotator or by or UNNAMED) for image_id, by in found.annotators.items()
    }
    key = f"{project.id}/{project.created_at.isoformat()}"
    events = label_import.label_events(key, found.labels, images, file.digest, names)
    log = store.events(project.id)
    return ImportPlan(
        file,
        found,
        tuple(classes),
        tuple(events),
        tuple(label_import.missing_events(events, log)),
        tuple(label_import.undo_events(events, log)),
    )


def carry_out(store: Store, project: Project, events: Sequence[Event]) -> None:
    """Store a plan's `new` or `undo`, and ask for a refit. UserError where some were rejected."""
    result = labeling.record(store, project, events, require_lease=False)
    if result.rejected:
        _, reason = result.rejected[0]
        raise UserError(f"{len(result.accepted)} stored, {len(result.rejected)} rejected: {reason}")
    if events:
        store.enqueue(project.id, JobKind.REFIT)
