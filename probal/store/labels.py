"""What the event log says now, as SQL expressions; nothing here runs a query or writes.

Rules: an event is void when an undo that no redo targets points at it, or when its class was split since and asks for
its images again. An image's label is its last active
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
    case,
    exists,
    func,
    or_,
    select,
    true,
    update,
)

from probal.store.schema import annotation, class_, proposal
from probal.types import EventKind

LABELING = (EventKind.LABEL, EventKind.CONFIRM, EventKind.ADJUDICATE)
ANSWERING = (*LABELING, EventKind.FLAG)
LEASED = (EventKind.LABEL, EventKind.CONFIRM, EventKind.SKIP, EventKind.FLAG)
"""Kinds that only the holder of a lease may send, where leases are required."""

NOW = 2**62
"""Value of the parameter `until` that takes in the whole log."""

_EVENT = annotation.alias("event")
_SPLIT = class_.alias("split")
_UNDO, _REDO = annotation.alias("undo"), annotation.alias("redo")
_UNTIL: BindParameter[int] = bindparam("until", type_=BigInteger)


def is_void(event: FromClause, until: bool = False) -> ColumnElement[bool]:
    """Whether a row of annotation or an alias of it counts no more; with `until`, as of that parameter."""
    return or_(is_undone(event, until), _reopened(event, until))


def is_undone(event: FromClause, until: bool = False) -> ColumnElement[bool]:
    """Whether somebody took it back, and did not think better of that."""
    redone = exists().where(_REDO.c.target_id == _UNDO.c.id, _upto(_REDO, until))
    return exists().where(_UNDO.c.target_id == event.c.id, _upto(_UNDO, until), ~redone)


def answered(image_id: ColumnElement[int], after: ColumnElement[int] | int = 0) -> ColumnElement[bool]:
    """Whether the image is out of the queue, by an event after row `after`."""
    later = true() if isinstance(after, int) and after == 0 else _EVENT.c.id > after
    answers = (_EVENT.c.image_id == image_id, _EVENT.c.kind.in_(ANSWERING), ~is_void(_EVENT))
    return exists().where(*answers, later)


def skipped(image_id: ColumnElement[int], after: ColumnElement[int] | int = 0) -> ColumnElement[bool]:
    """Whether the image was skipped by an event after row `after`."""
    return exists().where(
        _EVENT.c.image_id == image_id,
        _EVENT.c.kind == EventKind.SKIP,
        _EVENT.c.id > after,
        ~is_void(_EVENT),
    )


def answers(scope: ColumnElement[bool], until: bool = False) -> Subquery:
    """One row per answered image: the last rows of each kind of answer, 0 for none.

    `label` is the last label, confirm or adjudication, `settled` the last adjudication, `flag` the last flag.
    `scope` is a condition on `annotation`'s columns.
    """
    kind, row = annotation.c.kind, annotation.c.id
    return (
        select(
            annotation.c.image_id,
            func.max(case((kind == EventKind.FLAG, 0), else_=row)).label("label"),
            func.max(case((kind == EventKind.ADJUDICATE, row), else_=0)).label("settled"),
            func.max(case((kind == EventKind.FLAG, row), else_=0)).label("flag"),
        )
        .where(scope, kind.in_(ANSWERING), _upto(annotation, until), ~is_void(annotation, until))
        .group_by(annotation.c.image_id)
        .subquery()
    )


def current(scope: ColumnElement[bool], until: bool = False) -> Subquery:
    """One row per labeled image: its label event. `scope` as for `answers`.

    `class_id` is the class as merged now, `given_id` the one that the event names.
    """
    answer = answers(scope, until)
    chosen = case((answer.c.settled > 0, answer.c.settled), else_=answer.c.label)
    return (
        select(
            _EVENT.c.id,
            _EVENT.c.image_id,
            func.coalesce(class_.c.merged_into, _EVENT.c.class_id).label("class_id"),
            _EVENT.c.class_id.label("given_id"),
            _EVENT.c.annotator_id,
            _EVENT.c.duration_ms,
        )
        .join(answer, _EVENT.c.id == chosen)
        .outerjoin(class_, class_.c.id == _EVENT.c.class_id)
        .where(answer.c.label > answer.c.flag)
        .subquery()
    )


def refresh_open(scope: ColumnElement[bool]) -> Update:
    """Bring `proposal.open` of the proposals in scope in line with the log."""
    return update(proposal).where(scope).values(open=~answered(proposal.c.image_id))


def _reopened(event: FromClause, until: bool) -> ColumnElement[bool]:
    """Whether the event's class was split after it, and its images are to be labeled anew."""
    was = _SPLIT.c.reopened_row <= _UNTIL if until else true()
    return exists().where(_SPLIT.c.id == event.c.class_id, event.c.id <= _SPLIT.c.reopened_row, was)


def _upto(event: FromClause, until: bool) -> ColumnElement[bool]:
    return event.c.id <= _UNTIL if until else true()
