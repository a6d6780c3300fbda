"""Images handed out once more: to another person for a second opinion, or to the same one, to see whether they agree.

Both are blind: they go out like audit images, without a prediction. Which ones they may be is fixed by their content,
so that the share does not depend on who labels or when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Integer, Select, String, bindparam, exists, func, select

from probal.store.labels import LABELING, is_void
from probal.store.queue import FREE
from probal.store.repository import PROJECT
from probal.store.schema import annotation, image
from probal.types import EventKind, Role

SETTING = "people"
AGAIN_EVERY = 4
"""One in so many of the images handed out is one that has an answer already, while any waits."""
REPEAT_AFTER = 20
"""Answers a person gives before an image comes back, so that it is not simply remembered."""
_ABOVE_ALL = "~"


@dataclass(frozen=True)
class Overlap:
    """How many images are labeled more than once."""

    share: float = 0.0
    """Share of the pool's images that several people label."""
    annotators: int = 2
    """How many people label each of those."""
    repeats: float = 0.0
    """Share of a person's own images that come back to them once."""


_N: BindParameter[int] = bindparam("n", type_=Integer)
_ME: BindParameter[int] = bindparam("annotator_id", type_=Integer)
_GIVEN = annotation.alias("given")
_GIVES = (
    _GIVEN.c.image_id == image.c.id,
    _GIVEN.c.kind.in_(LABELING),
    ~is_void(_GIVEN),
)
# what was ever labeled, so that the query costs as much as the labels and not as much as the pool
_LABELED = select(annotation.c.image_id).where(
    annotation.c.project_id == PROJECT, annotation.c.kind.in_(LABELING)
)
_MINE = exists().where(*_GIVES, _GIVEN.c.annotator_id == _ME)
_PEOPLE = select(func.count(_GIVEN.c.annotator_id.distinct())).where(*_GIVES).scalar_subquery()
_TIMES = select(func.count()).where(*_GIVES, _GIVEN.c.annotator_id == _ME).scalar_subquery()
_LAST = select(func.max(_GIVEN.c.id)).where(*_GIVES, _GIVEN.c.annotator_id == _ME).scalar_subquery()
_CLOSED = exists().where(
    _GIVEN.c.image_id == image.c.id,
    _GIVEN.c.kind.in_((EventKind.FLAG, EventKind.ADJUDICATE)),
    ~is_void(_GIVEN),
)


def _below(first: int, name: str) -> Any:
    """Whether 32 bits of the content, from hex digit `first` on, lie below a share."""
    return func.substr(image.c.content_hash, first, 8) < bindparam(name, type_=String)


_AGAIN: Select[int] = (
    select(image.c.id.label("image_id"))
    .where(
        image.c.id.in_(_LABELED),
        image.c.project_id == PROJECT,
        image.c.role == Role.POOL,
        FREE,
        ~_CLOSED,
    )
    .limit(_N)
)
SECOND = _AGAIN.where(
    _below(1, "share"),
    _PEOPLE.between(1, bindparam("annotators", type_=Integer) - 1),
    ~_MINE,
).order_by(image.c.content_hash)
REPEATS = _AGAIN.where(
    _below(9, "repeats"),
    _TIMES == 1,
    bindparam("before", type_=Integer) >= _LAST,
).order_by(_LAST)
REMEMBERED = (
    select(annotation.c.id)
    .where(
        annotation.c.project_id == PROJECT,
        annotation.c.annotator_id == _ME,
        annotation.c.kind.in_(LABELING),
        ~is_void(annotation),
    )
    .order_by(annotation.c.id.desc())
    .offset(REPEAT_AFTER)
    .limit(1)
)
"""The person's last answer that they have had time to forget."""


def bound(share: float) -> str:
    """The eight hex digits below which a content belongs to a share."""
    return _ABOVE_ALL if share >= 1 else f"{int(share * 16**8):08x}"
