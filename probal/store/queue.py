"""Which images wait to be handed out, as SQL; runs inside the caller's transaction and does not write.

Three lines form: proposals (newest round first, by rank), audit images (an order that the project's seed
fixes), and what was skipped (longest ago first). An image waits in one of them while it can be read, has no
answer, and is in nobody else's hands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from probal.store.labels import answered, is_void, skipped
from probal.store.schema import annotation, image, lease, project, proposal
from probal.types import EventKind, ImageState, Role

LEASE = timedelta(minutes=10)
OTHER_WINDOW = timedelta(minutes=1)
"""After this long without a word from it, another window of the same person gives its images up."""


@dataclass(frozen=True)
class Candidate:
    """An image that can be handed out; `proposal_id` is None for an audit image."""

    image_id: int
    proposal_id: int | None


@dataclass(frozen=True)
class Queue:
    """The three lines, as one window of one annotator sees them at one time."""

    connection: Connection
    project_id: int
    annotator_id: int
    client: str
    now: datetime
    held: Collection[int]
    """Images in this window's hands already; they wait in no line."""

    def proposals(self, n: int) -> list[Candidate]:
        newer = proposal.alias()
        repeated = exists().where(
            newer.c.image_id == proposal.c.image_id, newer.c.open, newer.c.id > proposal.c.id
        )
        query = (
            select(proposal.c.image_id, proposal.c.id)
            .join(image, image.c.id == proposal.c.image_id)
            .where(
                proposal.c.project_id == self.project_id,
                proposal.c.open,
                image.c.role == Role.POOL,
                self._free(),
                ~skipped(image.c.id),
                ~repeated,
            )
            .order_by(proposal.c.round_id.desc(), proposal.c.rank)
            .limit(n)
        )
        return [Candidate(row.image_id, row.id) for row in self.connection.execute(query)]

    def audits(self, n: int) -> list[Candidate]:
        config = self.connection.scalar(select(project.c.config).where(project.c.id == self.project_id))
        # a sha256 is as good as a random number; the seed chooses where the circle of them is entered
        start = hashlib.sha256(str((config or {}).get("seed", 0)).encode()).hexdigest()
        query = (
            select(image.c.id)
            .where(
                image.c.project_id == self.project_id,
                image.c.role == Role.AUDIT,
                self._free(),
                ~answered(image.c.id),
                ~skipped(image.c.id),
            )
            .order_by(image.c.content_hash < start, image.c.content_hash)
            .limit(n)
        )
        return [Candidate(row.id, None) for row in self.connection.execute(query)]

    def skipped(self, n: int) -> list[Candidate]:
        skips = (
            select(annotation.c.image_id, func.max(annotation.c.id).label("last"))
            .where(
                annotation.c.project_id == self.project_id,
                annotation.c.kind == EventKind.SKIP,
                ~is_void(annotation),
            )
            .group_by(annotation.c.image_id)
            .subquery()
        )
        proposal_id = (
            select(func.max(proposal.c.id))
            .where(proposal.c.image_id == image.c.id, proposal.c.open)
            .scalar_subquery()
        )
        query = (
            select(image.c.id, image.c.role, proposal_id.label("proposal_id"))
            .join(skips, skips.c.image_id == image.c.id)
            .where(
                self._free(),
                ~answered(image.c.id),
                or_(
                    image.c.role == Role.AUDIT,
                    and_(image.c.role == Role.POOL, proposal_id.is_not(None)),
                ),
            )
            .order_by(skips.c.last)
            .limit(n)
        )
        return [
            Candidate(row.id, row.proposal_id if row.role == Role.POOL else None)
            for row in self.connection.execute(query)
        ]

    def _free(self) -> ColumnElement[bool]:
        """The image can be read and is in nobody's hands."""
        mine = lease.c.annotator_id == self.annotator_id
        taken = exists().where(
            lease.c.image_id == image.c.id,
            or_(
                and_(~mine, lease.c.expires_at > self.now),
                and_(
                    mine, lease.c.client != self.client, lease.c.expires_at > self.now + LEASE - OTHER_WINDOW
                ),
            ),
        )
        return and_(image.c.state == ImageState.OK, ~taken, image.c.id.not_in(self.held))
