"""Handing out images, and knowing who holds them.

A lease lasts ten minutes and is renewed whenever its holder asks for more. Two people never share an image;
another window of the same person waits one minute only, so that a page opened anew is not left without.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from probal.store.annotators import annotator_id
from probal.store.base import UtcDateTime
from probal.store.labels import answered, skipped
from probal.store.queue import LEASE, Candidate, Queue
from probal.store.repository import PROJECT, Repository
from probal.store.rounds import predicted_of, reason_of
from probal.store.schema import annotation, image, lease, proposal, setting
from probal.store.second_opinions import (
    AGAIN_EVERY,
    REMEMBERED,
    REPEATS,
    SECOND,
    SETTING,
    Overlap,
    bound,
)
from probal.types import ImageState, LeaseItem, Role

AUDIT_EVERY = 5
"""One in so many of the images handed out is an audit image, while any waits."""
FLOOR = 3
"""With fewer images in hand, audit and skipped ones come out of turn: nobody waits for a refit."""


_IDS: BindParameter[int] = bindparam("ids", type_=Integer, expanding=True)
_HELD = (
    select(lease.c.image_id, lease.c.proposal_id)
    .join(image, image.c.id == lease.c.image_id)
    .where(
        lease.c.project_id == PROJECT,
        lease.c.annotator_id == bindparam("annotator_id"),
        lease.c.client == bindparam("client"),
        lease.c.expires_at > bindparam("now", type_=UtcDateTime),
        image.c.state == ImageState.OK,
        or_(
            and_(lease.c.again, ~answered(lease.c.image_id, lease.c.issued_row)), ~answered(lease.c.image_id)
        ),
        ~skipped(lease.c.image_id, after=lease.c.issued_row),
    )
    .order_by(lease.c.issued_at, lease.c.place)
    .limit(bindparam("n"))
)
_PENDING = (
    select(lease.c.image_id)
    .join(image, image.c.id == lease.c.image_id)
    .where(
        lease.c.project_id == PROJECT,
        lease.c.expires_at > bindparam("now", type_=UtcDateTime),
        image.c.role == Role.POOL,
        ~answered(lease.c.image_id),
    )
    .order_by(lease.c.expires_at, lease.c.image_id)
)
RENEW = update(lease).where(lease.c.image_id.in_(_IDS)).values(expires_at=bindparam("until"))
# the token stays: an answer that is on its way counts as long as nobody else was handed the image
GIVE_BACK = (
    update(lease).where(lease.c.image_id.in_(_IDS)).values(expires_at=bindparam("now"), proposal_id=None)
)
_PROPOSALS_GIVEN = select(func.count(lease.c.proposal_id)).where(lease.c.project_id == PROJECT)
_AGAIN_GIVEN = select(func.count()).where(lease.c.project_id == PROJECT, lease.c.again)
_AUDITS_GIVEN = (
    select(func.count())
    .select_from(image)
    .join(lease, lease.c.image_id == image.c.id)
    .where(image.c.project_id == PROJECT, image.c.role == Role.AUDIT)
)
_TOKENS = select(lease.c.image_id, lease.c.token).where(
    lease.c.image_id.in_(_IDS),
    lease.c.annotator_id == bindparam("annotator_id"),
    lease.c.client == bindparam("client"),
)
_LAST_ROW = select(func.coalesce(func.max(annotation.c.id), 0)).where(annotation.c.project_id == PROJECT)
_OVERLAP = select(setting.c.value).where(setting.c.project_id == PROJECT, setting.c.key == SETTING)
_END = delete(lease).where(lease.c.image_id.in_(_IDS))
_ITEMS = (
    select(
        image.c.id,
        image.c.content_hash,
        image.c.role,
        lease.c.token,
        lease.c.proposal_id,
        proposal.c.predicted,
        proposal.c.reason,
    )
    .join(lease, lease.c.image_id == image.c.id)
    .outerjoin(proposal, proposal.c.id == lease.c.proposal_id)
    .where(image.c.id.in_(_IDS))
)


class Leases(Repository):
    def lease(
        self,
        project_id: int,
        annotator: str,
        client: str,
        n: int,
        now: datetime,
        keep: Sequence[int] | None = None,
    ) -> list[LeaseItem]:
        """Up to `n` images for one window of one annotator: those it holds, oldest first, then new ones.

        With `keep`, the window holds on to these images and to audit images, and swaps its other proposals
        for the best there are now. Writes: what is returned is renewed or leased to the window until ten
        minutes after `now`.
        """
        with self._db.write() as connection:
            by = annotator_id(connection, project_id, annotator)
            held, swapped = _held(connection, project_id, by, client, n, now, keep)
            connection.execute(RENEW, {"ids": held, "until": now + LEASE})
            connection.execute(GIVE_BACK, {"ids": swapped, "now": now})
            queue = Queue(connection, project_id, by, client, now, held)
            new = _choose(queue, n) if len(held) < n else []
            issue(queue, new)
            return _items(connection, [*held, *(candidate.image_id for candidate in new)])

    def pending_images(self, project_id: int, now: datetime) -> list[int]:
        """Pool images in somebody's hands at `now` and not answered yet, the latest to be handed out last."""
        with self._db.read() as connection:
            return list(connection.scalars(_PENDING, {"project_id": project_id, "now": now}))


def _held(
    connection: Connection,
    project_id: int,
    by: int,
    client: str,
    n: int,
    now: datetime,
    keep: Sequence[int] | None,
) -> tuple[list[int], list[int]]:
    """Images in this window's hands that it has not answered, and those of them it swaps for others."""
    window = {"project_id": project_id, "annotator_id": by, "client": client, "now": now, "n": n}
    rows = connection.execute(_HELD, window).all()
    wanted = {row.image_id for row in rows} if keep is None else set(keep)
    # an audit image is never swapped: its turn is counted when it is handed out
    swapped = [row.image_id for row in rows if row.image_id not in wanted and row.proposal_id is not None]
    return [row.image_id for row in rows if row.image_id not in swapped], swapped


def _choose(queue: Queue, n: int) -> list[Candidate]:
    """New images to hand out beside those held, `n` in all at most."""
    wanted = n - len(queue.held)
    proposals = queue.proposals(wanted)
    audits = queue.audits(wanted)
    once_more = again(queue, wanted)
    project = {"project_id": queue.project_id}
    audit = queue.connection.scalar(_AUDITS_GIVEN, project) or 0
    more = 0 if not once_more else queue.connection.scalar(_AGAIN_GIVEN, project) or 0
    total = (queue.connection.scalar(_PROPOSALS_GIVEN, project) or 0) + audit + more

    chosen: list[Candidate] = []
    while len(chosen) < wanted:
        if audits and (audit + 1) * AUDIT_EVERY <= total + 1:
            chosen.append(audits.pop(0))
            audit += 1
        elif once_more and (more + 1) * AGAIN_EVERY <= total + 1:
            chosen.append(once_more.pop(0))
            more += 1
        elif proposals:
            chosen.append(proposals.pop(0))
        else:
            break
        total += 1

    missing = min(n, FLOOR) - len(queue.held) - len(chosen)
    if missing > 0:
        waiting = chain(audits, once_more, queue.skipped(missing))
        chosen += [candidate for candidate, _ in zip(waiting, range(missing), strict=False)]
    return chosen


def again(queue: Queue, n: int) -> list[Candidate]:
    """Up to `n` images that have answers already and wait for another, second opinions before repeats."""
    kept = queue.connection.scalar(_OVERLAP, {"project_id": queue.project_id})
    overlap = Overlap(**(kept or {}))
    ids: list[int] = []
    if overlap.share > 0:
        people = {"share": bound(overlap.share), "annotators": overlap.annotators}
        ids += queue.ids(SECOND, n=n, **people)
    if overlap.repeats > 0:
        me = {"project_id": queue.project_id, "annotator_id": queue.annotator_id}
        before = queue.connection.scalar(REMEMBERED, me)
        if before is not None:
            ids += queue.ids(REPEATS, n=n, repeats=bound(overlap.repeats), before=before)
    return [Candidate(image_id, None, again=True) for image_id in dict.fromkeys(ids)]


def issue(queue: Queue, chosen: Sequence[Candidate]) -> None:
    """Write the leases; a window that had an image before gets it under the token it knows."""
    ids = [candidate.image_id for candidate in chosen]
    if not ids:
        return
    window = {"annotator_id": queue.annotator_id, "client": queue.client}
    known = {row.image_id: row.token for row in queue.connection.execute(_TOKENS, {"ids": ids, **window})}
    last = queue.connection.scalar(_LAST_ROW, {"project_id": queue.project_id})
    queue.connection.execute(_END, {"ids": ids})
    queue.connection.execute(
        insert(lease),
        [
            {
                "image_id": candidate.image_id,
                "project_id": queue.project_id,
                "token": known.get(candidate.image_id) or secrets.token_urlsafe(16),
                **window,
                "proposal_id": candidate.proposal_id,
                "issued_row": last,
                "issued_at": queue.now,
                "place": place,
                "expires_at": queue.now + LEASE,
                "again": candidate.again,
            }
            for place, candidate in enumerate(chosen)
        ],
    )


def _items(connection: Connection, image_ids: Sequence[int]) -> list[LeaseItem]:
    items = {}
    for row in connection.execute(_ITEMS, {"ids": list(image_ids)}):
        # an image proposed before it joined the audit goes out blind too
        if row.proposal_id is None or row.role == Role.AUDIT:
            items[row.id] = LeaseItem(row.id, row.content_hash, row.token)
        else:
            items[row.id] = LeaseItem(
                row.id,
                row.content_hash,
                row.token,
                row.proposal_id,
                predicted_of(row.predicted),
                reason_of(row.reason),
            )
    return [items[image_id] for image_id in image_ids]
