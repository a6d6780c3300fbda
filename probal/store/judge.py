"""Deciding whether one event may enter the log, and writing it there.

Works inside the write transaction of `Events.record`. What the events of the call refer to is read once in
bulk, and kept in step as events are stored, so that an import of thousands costs one insert each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, insert, select

from probal.store.annotators import REFERENCE, annotator_id
from probal.store.base import utc_now
from probal.store.labels import LABELING, LEASED, current, is_void, refresh_open
from probal.store.repository import PROJECT, AnyRow, chunks
from probal.store.schema import annotation, annotator, class_, image, lease, proposal
from probal.types import Event, EventKind, Role

_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_ROLES = select(image.c.id, image.c.role).where(image.c.id.in_(_SOME), image.c.project_id == PROJECT)
_CLASSES = select(class_).where(class_.c.project_id == PROJECT)
_LEASES = (
    select(lease.c.image_id, lease.c.token, lease.c.again, lease.c.issued_row, annotator.c.name)
    .join(annotator, annotator.c.id == lease.c.annotator_id)
    .where(lease.c.image_id.in_(_SOME), lease.c.project_id == PROJECT)
)
_TARGET = annotation.alias("target")
_EVENTS = (
    select(
        annotation.c.id,
        annotation.c.event_id,
        annotation.c.kind,
        annotation.c.image_id,
        annotator.c.name,
        is_void(annotation).label("void"),
        _TARGET.c.event_id.label("target"),
    )
    .join(annotator, annotator.c.id == annotation.c.annotator_id)
    .outerjoin(_TARGET, _TARGET.c.id == annotation.c.target_id)
    .where(annotation.c.event_id.in_(_SOME), annotation.c.project_id == PROJECT)
)
_LABEL = current(annotation.c.image_id == bindparam("image_id"))
_LABELED_BY = select(annotator.c.name, _LABEL.c.id).join(_LABEL, _LABEL.c.annotator_id == annotator.c.id)
_INSERT = insert(annotation).returning(annotation.c.id)
_REFRESH_OPEN = refresh_open(proposal.c.image_id.in_(_SOME))

UNDOABLE = (*LABELING, EventKind.SKIP, EventKind.FLAG)


@dataclass
class _Known:
    """An event in the log that another may target."""

    row: int
    kind: EventKind
    annotator: str
    image_id: int
    void: bool
    target: str | None


class Judge:
    """Takes the events of one call one after the other."""

    def __init__(
        self, connection: Connection, project_id: int, events: Sequence[Event], require_lease: bool
    ) -> None:
        self._connection = connection
        self._project_id = project_id
        self._require_lease = require_lease
        self._annotators: dict[str, int] = {}
        self._touched: set[int] = set()
        self._now = utc_now()
        image_ids = {event.image_id for event in events if event.image_id is not None}
        self._roles = {row.id: Role(row.role) for row in self._rows(_ROLES, image_ids)}
        classes = connection.execute(_CLASSES, {"project_id": project_id})
        self._classes = {row.id: row for row in classes}
        self._log = self._read_log({event.event_id for event in events} | _targets(events))
        leases = self._rows(_LEASES, image_ids) if require_lease else []
        self._leases = {row.image_id: row for row in leases}

    def take(self, event: Event) -> str | None:
        """Store the event, or say why not."""
        if event.event_id in self._log:
            return None
        problem = self._problem(event)
        if problem is None:
            self._store(event)
        return problem

    def close(self) -> None:
        """Bring what is derived from the log in line with it; call once after the last event."""
        for ids in chunks(sorted(self._touched)):
            self._connection.execute(_REFRESH_OPEN, {"some": ids})

    def _problem(self, event: Event) -> str | None:
        if not event.event_id or len(event.event_id) > 64:
            return "an event needs an id of 1 to 64 characters"
        if not event.annotator.strip() or len(event.annotator) > 100:
            return "an event needs the annotator's name, of 1 to 100 characters"
        if self._require_lease and event.annotator == REFERENCE:
            return f"the name {REFERENCE!r} is kept for labels that came with the images: use another"
        if event.kind in (EventKind.UNDO, EventKind.REDO):
            return self._turn_problem(event)
        role = self._roles.get(event.image_id) if event.image_id is not None else None
        if role is None:
            return f"no image {event.image_id} in this project"
        if role is Role.TEST and event.annotator != REFERENCE:
            return f"image {event.image_id} is in the test set, whose labels came with it"
        if event.kind in LABELING:
            problem = self._class_problem(event)
            if problem is not None:
                return problem
        if self._require_lease and event.kind in LEASED:
            return self._lease_problem(event)
        return None

    def _class_problem(self, event: Event) -> str | None:
        if event.class_id is None:
            return f"a {event.kind} needs a class"
        known = self._classes.get(event.class_id)
        if known is None:
            return f"no class {event.class_id} in this project"
        # a window that has not heard of a merge still names the old class, which is read as the new one
        if self._classes[known.merged_into or known.id].archived:
            return f"the class {known.name!r} is archived"
        return None

    def _turn_problem(self, event: Event) -> str | None:
        target = self._log.get(event.target_event_id or "")
        if target is None:
            return f"no event {event.target_event_id} in this project to {event.kind}"
        if target.annotator != event.annotator:
            return f"that event is {target.annotator}'s: only {target.annotator} can {event.kind} it"
        if event.image_id is not None and event.image_id != target.image_id:
            return f"that event is about image {target.image_id}, not image {event.image_id}"
        if event.kind is EventKind.UNDO and target.kind not in UNDOABLE:
            return f"only an answer can be undone, not its {target.kind}"
        if event.kind is EventKind.REDO and target.kind is not EventKind.UNDO:
            return f"only an undo can be redone, not a {target.kind}"
        if target.void:
            return (
                "that event is undone already"
                if event.kind is EventKind.UNDO
                else "that undo is redone already"
            )
        return None

    def _lease_problem(self, event: Event) -> str | None:
        assert event.image_id is not None
        held = self._leases.get(event.image_id)
        if held is None or event.lease is None:
            return f"image {event.image_id} was not handed out under this lease: ask for the next images"
        if held.name != event.annotator:
            return f"image {event.image_id} was handed to {held.name} since"
        if held.token != event.lease:
            return f"image {event.image_id} was handed out again since, in another window or after a while"
        # asked each time and not kept: an undo earlier in this call may have changed it
        found = self._connection.execute(_LABELED_BY, {"image_id": event.image_id}).one_or_none()
        known = found is not None and held.again and found.id <= held.issued_row
        if found is not None and found.name != event.annotator and not known:
            return f"image {event.image_id} was labeled by {found.name} since"
        return None

    def _store(self, event: Event) -> None:
        by = self._annotators.get(event.annotator)
        if by is None:
            by = annotator_id(self._connection, self._project_id, event.annotator)
            self._annotators[event.annotator] = by
        turns = event.kind in (EventKind.UNDO, EventKind.REDO)
        target = self._log[event.target_event_id or ""] if turns else None
        image_id = target.image_id if target is not None else event.image_id
        assert image_id is not None
        row = self._connection.execute(
            _INSERT,
            {
                "project_id": self._project_id,
                "event_id": event.event_id,
                "kind": event.kind,
                "annotator_id": by,
                "seq": event.seq,
                "image_id": image_id,
                "class_id": event.class_id if event.kind in LABELING else None,
                "lease": event.lease,
                "target_id": target.row if target is not None else None,
                "flag_reason": event.flag_reason,
                "note": event.note,
                "duration_ms": event.duration_ms,
                "created_at": self._now,
            },
        ).scalar_one()
        self._log[event.event_id] = _Known(
            row, event.kind, event.annotator, image_id, False, event.target_event_id if turns else None
        )
        if target is not None:
            target.void = True
            if target.target is not None:
                self._log[target.target].void = False
        self._touched.add(image_id)

    def _read_log(self, event_ids: set[str]) -> dict[str, _Known]:
        """The stored events of these ids, and what they target."""
        log: dict[str, _Known] = {}
        while event_ids:
            log |= {
                row.event_id: _Known(
                    row.id, EventKind(row.kind), row.name, row.image_id, bool(row.void), row.target
                )
                for row in self._rows(_EVENTS, event_ids)
            }
            event_ids = {known.target for known in log.values() if known.target is not None} - log.keys()
        return log

    def _rows(self, query: Select[*tuple[Any, ...]], values: Iterable[Any]) -> list[AnyRow]:
        """The project's rows for these values of the query's parameter `some`."""
        rows: list[AnyRow] = []
        for some in chunks(sorted(values)):
            rows += self._connection.execute(query, {"some": some, "project_id": self._project_id})
        return rows


def _targets(events: Iterable[Event]) -> set[str]:
    return {event.target_event_id for event in events if event.target_event_id is not None}
