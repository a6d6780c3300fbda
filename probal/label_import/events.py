"""Imported labels as ordinary events of the log, their ids made of what they say: a second run adds none."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence

from probal.types import Event, EventKind, ImageInfo, StoredEvent

_NAMESPACE = uuid.UUID("6f0f5b64-6a0d-5b0e-9d6c-3f6a1f0c7f11")


def label_events(
    project: str,
    labels: Mapping[int, int],
    images: Iterable[ImageInfo],
    digest: str,
    annotator: str | Mapping[int, str],
) -> list[Event]:
    """One label event per image, its id made of project, image, class and file.

    `labels` is image id to class id, `annotator` one name for all or the name by image id.
    """
    hashes = {image.id: image.content_hash for image in images}
    return [
        Event(
            event_id=str(uuid.uuid5(_NAMESPACE, f"{project}/{hashes[image_id]}/{class_id}/{digest}")),
            kind=EventKind.LABEL,
            annotator=annotator if isinstance(annotator, str) else annotator[image_id],
            seq=seq,
            image_id=image_id,
            class_id=class_id,
        )
        for seq, (image_id, class_id) in enumerate(labels.items())
    ]


def missing_events(imported: Sequence[Event], log: Sequence[StoredEvent]) -> list[Event]:
    """What stores an import: its events that are not in the log, and redoes of those that were taken back."""
    stored = {one.event.event_id: one for one in log}
    undoes = {
        one.event.target_event_id: one.event
        for one in log
        if one.active and one.event.kind is EventKind.UNDO and one.event.target_event_id is not None
    }
    return [
        event if event.event_id not in stored else _turn(EventKind.REDO, undoes[event.event_id], event, log)
        for event in imported
        if event.event_id not in stored or event.event_id in undoes
    ]


def undo_events(imported: Sequence[Event], log: Sequence[StoredEvent]) -> list[Event]:
    """Undoes of those events of an import that are stored and stand."""
    stored = {one.event.event_id: one.event for one in log if one.active}
    found = [stored[event.event_id] for event in imported if event.event_id in stored]
    return [_turn(EventKind.UNDO, event, event, log) for event in found]


def _turn(kind: EventKind, target: Event, label: Event, log: Sequence[StoredEvent]) -> Event:
    """An undo or redo of `target`; with the log's length in its id, since it may come again later."""
    return Event(
        event_id=str(uuid.uuid5(_NAMESPACE, f"{kind}/{target.event_id}/{len(log)}")),
        kind=kind,
        annotator=target.annotator,
        seq=label.seq,
        image_id=target.image_id,
        target_event_id=target.event_id,
    )
