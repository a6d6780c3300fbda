"""A small project to try things on, and short ways to say what happens in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from probal.store import Store
from probal.types import (
    Event,
    EventKind,
    ImageState,
    LeaseItem,
    NewProposal,
    ProjectConfig,
    Reason,
    RecordResult,
    Role,
    Round,
    ScannedImage,
)

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
REASON = Reason("auto", "coverage", 1.0, 0.9, 0.5, 0.4, contested=((1, 0.6), (2, 0.4)), cluster=3)

_numbers = itertools.count()


def scanned(path: str, content: str, state: ImageState = ImageState.OK) -> ScannedImage:
    """A file as a scan tells of it; `content` stands for its hash."""
    return ScannedImage(path, content, 8, 6, 100, 1, state, None if state is ImageState.OK else "why")


def event(kind: EventKind, image_id: int | None = None, annotator: str = "ann", **fields: Any) -> Event:
    """An event with an id of its own."""
    fields.setdefault("event_id", f"e{next(_numbers)}")
    return Event(kind=kind, annotator=annotator, image_id=image_id, **fields)


class World:
    """Pool, audit and test images and three classes in a project of their own."""

    def __init__(self, store: Store, pool: int = 30, audit: int = 10, test: int = 2) -> None:
        self.store = store
        name = f"world-{next(_numbers)}"
        classes = [("cat", None), ("dog", "a photo of a dog"), ("cow", None)]
        self.project = store.create_project(name, ProjectConfig(image_root=f"/pools/{name}"), classes)
        self.id = self.project.id
        self.classes = [each.id for each in store.classes(self.id)]
        n = pool + audit + test
        store.sync_images(self.id, [scanned(f"{i:04d}.png", f"{name}-{i * 7919 % n:04d}") for i in range(n)])
        ids = [image.id for image in store.images(self.id)]
        self.pool, self.audit, self.test = ids[:pool], ids[pool : pool + audit], ids[pool + audit :]
        store.set_role(self.id, self.audit, Role.AUDIT)
        store.set_role(self.id, self.test, Role.TEST)

    def propose(self, image_ids: Iterable[int]) -> Round:
        """Write a round that proposes these images in this order."""
        return self.store.add_round(
            self.id,
            strategy="auto",
            seed=3,
            config={"batch": 10},
            encoder_fingerprint="encoder",
            adapter_fingerprint="adapter",
            event_watermark=self.store.watermark(self.id),
            candidate_hash="0" * 64,
            pending_ids=[5, 6],
            n_labels=self.store.labels_spent(self.id),
            n_train=3,
            threads=2,
            versions={"numpy": "2"},
            timings={"fit": 0.25},
            proposals=[NewProposal(image_id, ((1, 0.75), (2, 0.25)), REASON) for image_id in image_ids],
        )

    def lease(
        self,
        annotator: str = "ann",
        client: str = "window",
        n: int = 20,
        now: datetime = START,
        keep: Sequence[int] | None = None,
    ) -> list[LeaseItem]:
        return self.store.lease(self.id, annotator, client, n, now, keep)

    def label(self, image_id: int, annotator: str = "ann", at: int = 0, **fields: Any) -> Event:
        """A label event with the class at position `at`."""
        return event(EventKind.LABEL, image_id, annotator, class_id=self.classes[at], **fields)

    def skip(self, image_id: int, annotator: str = "ann") -> Event:
        return event(EventKind.SKIP, image_id, annotator)

    def flag(self, image_id: int, annotator: str = "ann") -> Event:
        return event(EventKind.FLAG, image_id, annotator, flag_reason="ambiguous")

    def undo(self, target: Event) -> Event:
        return event(EventKind.UNDO, annotator=target.annotator, target_event_id=target.event_id)

    def redo(self, target: Event) -> Event:
        return event(EventKind.REDO, annotator=target.annotator, target_event_id=target.event_id)

    def answer(self, item: LeaseItem, kind: EventKind = EventKind.LABEL, annotator: str = "ann") -> Event:
        """An event about a leased image, under its lease."""
        class_id = self.classes[0] if kind in (EventKind.LABEL, EventKind.CONFIRM) else None
        return event(kind, item.image_id, annotator, lease=item.lease, class_id=class_id)

    def record(self, *events: Event, require_lease: bool = False) -> RecordResult:
        return self.store.record(self.id, events, require_lease)

    def accept(self, *events: Event, require_lease: bool = False) -> Sequence[Event]:
        """Record events that must all be accepted."""
        result = self.record(*events, require_lease=require_lease)
        assert result.rejected == ()
        return events

    def refusal(self, refused: Event, require_lease: bool = False) -> str:
        """Record an event that must be rejected; the reason given."""
        result = self.record(refused, require_lease=require_lease)
        assert result.accepted == ()
        (event_id, reason), *others = result.rejected
        assert event_id == refused.event_id
        assert others == []
        return reason

    def labels(self) -> dict[int, int]:
        """Class id by image id, as it stands."""
        return {label.image_id: label.class_id for label in self.store.current_labels(self.id)}
