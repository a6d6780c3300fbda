"""What the event log says now, as SQL expressions; nothing here runs a query or writes.

Rules: an event is void when an undo that no redo targets points at it. An image's label is its last active
label or confirm, or its last active adjudication if there is one; an active flag later than that takes the
label away. An image is *answered* when it has an active label, confirm, adjudication or flag.
"""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    Update,
    and_,
    exists,
    func,
    select,
    true,
    update,
)

from probal.store.schema import annotation, proposal
from probal.types import EventKind

LABELING = (EventKind.LABEL, EventKind.CONFIRM, EventKind.ADJUDICATE)
ANSWERING = (*LABELING, EventKind.FLAG)
# kinds that only the holder of a lease may send, where leases are required
LEASED = (EventKind.LABEL, EventKind.CONFIRM, EventKind.SKIP, EventKind.FLAG)


def is_void(event: FromClause, until: int | None = None) -> ColumnElement[bool]:
    """Whether a row of `event` (an alias of annotation) is undone, as of row `until` if given."""
    undo, redo = annotation.alias(), annotation.alias()
    redone = exists().where(redo.c.target_id == undo.c.id, _by(redo, until))
    return exists().where(undo.c.target_id == event.c.id, _by(undo, until), ~redone)


def answered(image_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the image is out of the queue."""
    event = annotation.alias()
    return exists().where(event.c.image_id == image_id, event.c.kind.in_(ANSWERING), ~is_void(event))


def skipped(image_id: ColumnElement[int], after: ColumnElement[int] | int = 0) -> ColumnElement[bool]:
    """Whether the image was skipped by an event after row `after`."""
    event = annotation.alias()
    return exists().where(
        event.c.image_id == image_id, event.c.kind == EventKind.SKIP, event.c.id > after, ~is_void(event)
    )


def current(scope: ColumnElement[bool], until: int | None = None) -> Subquery:
    """One row per labeled image: its label event. `scope` is a condition on `annotation`'s columns."""
    ranked = (
        select(
            annotation.c.id,
            annotation.c.image_id,
            annotation.c.class_id,
            annotation.c.annotator_id,
            annotation.c.duration_ms,
            func.row_number()
            .over(
                partition_by=annotation.c.image_id,
                order_by=((annotation.c.kind == EventKind.ADJUDICATE).desc(), annotation.c.id.desc()),
            )
            .label("place"),
        )
        .where(scope, annotation.c.kind.in_(LABELING), _by(annotation, until), ~is_void(annotation, until))
        .subquery()
    )
    flag = annotation.alias()
    flagged = exists().where(
        flag.c.image_id == ranked.c.image_id,
        flag.c.kind == EventKind.FLAG,
        flag.c.id > ranked.c.id,
        _by(flag, until),
        ~is_void(flag, until),
    )
    return select(ranked).where(ranked.c.place == 1, ~flagged).subquery()


def refresh_open(scope: ColumnElement[bool]) -> Update:
    """Bring `proposal.open` of the proposals in scope in line with the log."""
    return update(proposal).where(scope).values(open=~answered(proposal.c.image_id))


def _by(event: FromClause, until: int | None) -> ColumnElement[bool]:
    return true() if until is None else and_(event.c.id <= until)
