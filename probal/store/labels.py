"""What the event log says now, as SQL expressions; nothing here runs a query or writes.

Rules: an event is void when an undo that no redo targets points at it. An image's label is its last active
label or confirm, or its last active adjudication if there is one; an active flag that none of these follows
takes the label away. An image is *answered* when it has an active label, confirm, adjudication or flag.

Expressions and the queries made of them are built once, when the module loads: building costs milliseconds,
which the keypress path does not have. What varies is a named parameter.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    FromClause,
    Subquery,
    Update,
    bindparam,
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
LEASED = (EventKind.LABEL, EventKind.CONFIRM, EventKind.SKIP, EventKind.FLAG)
"""Kinds that only the holder of a lease may send, where leases are required."""

NOW = 2**62
"""Value of the parameter `until` that takes in the whole log."""

_EVENT, _FLAG = annotation.alias("event"), annotation.alias("flag")
_UNDO, _REDO = annotation.alias("undo"), annotation.alias("redo")
_UNTIL: BindParameter[int] = bindparam("until", type_=BigInteger)


def is_void(event: FromClause, until: bool = False) -> ColumnElement[bool]:
    """Whether a row of annotation or an alias of it is undone; with `until`, as of that parameter."""
    redone = exists().where(_REDO.c.target_id == _UNDO.c.id, _upto(_REDO, until))
    return exists().where(_UNDO.c.target_id == event.c.id, _upto(_UNDO, until), ~redone)


def answered(image_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the image is out of the queue."""
    return exists().where(_EVENT.c.image_id == image_id, _EVENT.c.kind.in_(ANSWERING), ~is_void(_EVENT))


def skipped(image_id: ColumnElement[int], after: ColumnElement[int] | int = 0) -> ColumnElement[bool]:
    """Whether the image was skipped by an event after row `after`."""
    return exists().where(
        _EVENT.c.image_id == image_id,
        _EVENT.c.kind == EventKind.SKIP,
        _EVENT.c.id > after,
        ~is_void(_EVENT),
    )


def current(scope: ColumnElement[bool], until: bool = False) -> Subquery:
    """One row per labeled image: its label event. `scope` is a condition on `annotation`'s columns."""
    last = func.row_number().over(
        partition_by=annotation.c.image_id,
        order_by=((annotation.c.kind == EventKind.ADJUDICATE).desc(), annotation.c.id.desc()),
    )
    ranked = (
        select(
            annotation.c.id,
            annotation.c.image_id,
            annotation.c.class_id,
            annotation.c.annotator_id,
            annotation.c.duration_ms,
            last.label("place"),
            func.max(annotation.c.id).over(partition_by=annotation.c.image_id).label("newest"),
        )
        .where(scope, annotation.c.kind.in_(LABELING), _upto(annotation, until), ~is_void(annotation, until))
        .subquery()
    )
    flagged = exists().where(
        _FLAG.c.image_id == ranked.c.image_id,
        _FLAG.c.kind == EventKind.FLAG,
        _FLAG.c.id > ranked.c.newest,
        _upto(_FLAG, until),
        ~is_void(_FLAG, until),
    )
    return select(ranked).where(ranked.c.place == 1, ~flagged).subquery()


def refresh_open(scope: ColumnElement[bool]) -> Update:
    """Bring `proposal.open` of the proposals in scope in line with the log."""
    return update(proposal).where(scope).values(open=~answered(proposal.c.image_id))


def _upto(event: FromClause, until: bool) -> ColumnElement[bool]:
    return event.c.id <= _UNTIL if until else true()
