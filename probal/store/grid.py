"""Handing out many images at once, chosen by the caller: for the grid, where a page is answered with one key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, Integer, bindparam, select

from probal.store.annotators import annotator_id
from probal.store.base import UtcDateTime
from probal.store.labels import answered
from probal.store.leases import GIVE_BACK, RENEW, issue
from probal.store.queue import FREE, LEASE, Candidate, Queue
from probal.store.repository import PROJECT, Repository, chunks
from probal.store.schema import image, lease
from probal.types import LeaseItem, Role

_IDS: BindParameter[int] = bindparam("ids", type_=Integer, expanding=True)
_MINE = select(lease.c.image_id).where(
    lease.c.project_id == PROJECT,
    lease.c.annotator_id == bindparam("annotator_id"),
    lease.c.client == bindparam("client"),
    lease.c.expires_at > bindparam("now", type_=UtcDateTime),
)
_FREE_ONES = select(image.c.id).where(
    image.c.project_id == PROJECT,
    image.c.role == Role.POOL,
    image.c.id.in_(_IDS),
    FREE,
    ~answered(image.c.id),
)
_ITEMS = (
    select(image.c.id, image.c.content_hash, lease.c.token)
    .join(lease, lease.c.image_id == image.c.id)
    .where(image.c.id.in_(_IDS))
)


class GridLeases(Repository):
    def lease_images(
        self,
        project_id: int,
        annotator: str,
        client: str,
        wanted: Sequence[int],
        n: int,
        now: datetime,
        keep: Sequence[int] = (),
    ) -> list[LeaseItem]:
        """The first `n` of the images `wanted` that are free: of the pool, unanswered, in nobody else's hands.

        Audit and test images are passed over, whoever asks for them. Writes: what is returned is leased to the
        window until ten minutes after `now`, and so stays what it holds of `keep`; the rest it gives back.
        """
        with self._db.write() as connection:
            by = annotator_id(connection, project_id, annotator)
            window = {"project_id": project_id, "annotator_id": by, "client": client, "now": now}
            mine = set(connection.scalars(_MINE, window))
            connection.execute(GIVE_BACK, {"ids": sorted(mine - set(keep)), "now": now})
            connection.execute(RENEW, {"ids": sorted(mine & set(keep)), "until": now + LEASE})
            queue = Queue(connection, project_id, by, client, now, list(keep))
            free: list[int] = []
            for some in chunks(
                wanted, 4 * n
            ):  # most are free: a page takes one look, not one at the whole class
                found = queue.among(_FREE_ONES, some)
                free += [image_id for image_id in some if image_id in found]
                if len(free) >= n:
                    break
            free = free[:n]
            issue(queue, [Candidate(image_id, None) for image_id in free])
            rows = {row.id: row for row in connection.execute(_ITEMS, {"ids": free})}
            return [LeaseItem(each, rows[each].content_hash, rows[each].token) for each in free]
