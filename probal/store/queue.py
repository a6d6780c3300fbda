"""Which images wait to be handed out, as SQL; runs inside the caller's transaction and does not write.

Three lines form: proposals (newest round first, by rank), audit images (an order that the project's seed
fixes), and what was skipped (longest ago first). An image waits in one of them while it can be read, has no
answer, and is in nobody else's hands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, Integer, Select, and_, bindparam, exists, func, or_, select

from probal.store.base import UtcDateTime
from probal.store.labels import answered, is_void, skipped
from probal.store.repository import PROJECT, AnyRow
from probal.store.schema import annotation, image, lease, project, proposal
from probal.types import EventKind, ImageState, Role

LEASE = timedelta(minutes=10)
OTHER_WINDOW = timedelta(minutes=2)
"""After this long without a word from it, another window of the same person gives its images up."""

_N: BindParameter[int] = bindparam("n", type_=Integer)
_MINE = lease.c.annotator_id == bindparam("annotator_id")
_TAKEN = exists().where(
    lease.c.image_id == image.c.id,
    or_(
        and_(~_MINE, lease.c.expires_at > bindparam("now", type_=UtcDateTime)),
        and_(
            _MINE,
            lease.c.client != bindparam("client"),
            lease.c.expires_at > bindparam("other_window", type_=UtcDateTime),
        ),
    ),
)
# what this window holds already waits in no line
FREE = and_(image.c.state == ImageState.OK, ~_TAKEN, image.c.id.not_in(bindparam("held", expanding=True)))

_NEWER = proposal.alias("newer")
_REPEATED = exists().where(
    _NEWER.c.image_id == proposal.c.image_id, _NEWER.c.open, _NEWER.c.id > proposal.c.id
)
_PROPOSALS = (
    select(proposal.c.image_id, proposal.c.id.label("proposal_id"))
    .join(image, image.c.id == proposal.c.image_id)
    .where(
        proposal.c.project_id == PROJECT,
        proposal.c.open,
        image.c.role == Role.POOL,
        FREE,
        ~skipped(image.c.id),
        ~_REPEATED,
    )
    .order_by(proposal.c.round_id.desc(), proposal.c.rank)
    .limit(_N)
)

_CONFIG = select(project.c.config).where(project.c.id == PROJECT)
_AUDITS = (
    select(image.c.id.label("image_id"))
    .where(
        image.c.project_id == PROJECT,
        image.c.role == Role.AUDIT,
        FREE,
        ~answered(image.c.id),
        ~skipped(image.c.id),
    )
    .order_by(image.c.content_hash < bindparam("start"), image.c.content_hash)
    .limit(_N)
)

_SKIPS = (
    select(annotation.c.image_id, func.max(annotation.c.id).label("last"))
    .where(annotation.c.project_id == PROJECT, annotation.c.kind == EventKind.SKIP, ~is_void(annotation))
    .group_by(annotation.c.image_id)
    .subquery()
)
_OPEN_PROPOSAL = (
    select(func.max(proposal.c.id))
    .where(proposal.c.image_id == image.c.id, proposal.c.open)
    .scalar_subquery()
)
_SKIPPED = (
    select(image.c.id.label("image_id"), image.c.role, _OPEN_PROPOSAL.label("proposal_id"))
    .join(_SKIPS, _SKIPS.c.image_id == image.c.id)
    .where(
        FREE,
        ~answered(image.c.id),
        or_(image.c.role == Role.AUDIT, and_(image.c.role == Role.POOL, _OPEN_PROPOSAL.is_not(None))),
    )
    .order_by(_SKIPS.c.last)
    .limit(_N)
)


@dataclass(frozen=True)
class Candidate:
    """An image that can be handed out; `proposal_id` is None for one that goes out blind."""

    image_id: int
    proposal_id: int | None
    again: bool = False
    """It has answers already; see `probal.store.second_opinions`."""


@dataclass(frozen=True)
class Queue:
    """The three lines, as one window of one annotator sees them at one time."""

    connection: Connection
    project_id: int
    annotator_id: int
    client: str
    now: datetime
    held: Sequence[int]
    """Images in this window's hands."""

    def proposals(self, n: int) -> list[Candidate]:
        """The first `n` proposals that wait."""
        return [Candidate(row.image_id, row.proposal_id) for row in self._rows(_PROPOSALS, n=n)]

    def audits(self, n: int) -> list[Candidate]:
        """The first `n` audit images that wait."""
        config = self.connection.execute(_CONFIG, {"project_id": self.project_id}).scalar_one()
        # a sha256 is as good as a random number; the seed chooses where the circle of them is entered
        start = hashlib.sha256(str(config["seed"]).encode()).hexdigest()
        return [Candidate(row.image_id, None) for row in self._rows(_AUDITS, n=n, start=start)]

    def skipped(self, n: int) -> list[Candidate]:
        """The first `n` of the skipped images, audit images among them."""
        return [
            Candidate(row.image_id, row.proposal_id if row.role == Role.POOL else None)
            for row in self._rows(_SKIPPED, n=n)
        ]

    def among(self, query: Select[int], image_ids: Sequence[int]) -> set[int]:
        """Those of these images that a query of this window finds; its parameter is `ids`."""
        return {row.id for row in self._rows(query, ids=list(image_ids))}

    def ids(self, query: Select[int], **parameters: Any) -> list[int]:
        """The images that a query of this window finds."""
        return [row.image_id for row in self._rows(query, **parameters)]

    def _rows(self, query: Select[*tuple[Any, ...]], **parameters: Any) -> Sequence[AnyRow]:
        window = {
            "project_id": self.project_id,
            "annotator_id": self.annotator_id,
            "client": self.client,
            "now": self.now,
            "other_window": self.now + LEASE - OTHER_WINDOW,
            "held": list(self.held),
        }
        return self.connection.execute(query, {**window, **parameters}).all()
