"""What a new batch must leave alone: images out for labeling, and images taken out of the queue."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select

from probal.store.labels import answered, is_void
from probal.store.repository import Repository
from probal.store.schema import annotation, image, lease
from probal.types import EventKind, Role


class Outstanding(Repository):
    def pending_images(self, project_id: int, now: datetime) -> list[int]:
        """Pool images in somebody's hands at `now` and not answered yet, by id."""
        query = (
            select(lease.c.image_id)
            .join(image, image.c.id == lease.c.image_id)
            .where(
                lease.c.project_id == project_id,
                lease.c.expires_at > now,
                image.c.role == Role.POOL,
                ~answered(lease.c.image_id),
            )
            .order_by(lease.c.image_id)
        )
        with self._db.read() as connection:
            return list(connection.scalars(query))

    def flagged_images(self, project_id: int) -> list[int]:
        """Images with an active flag, by id; a label given after the flag does not count them out."""
        query = (
            select(image.c.id)
            .where(
                image.c.project_id == project_id,
                exists().where(
                    annotation.c.image_id == image.c.id,
                    annotation.c.kind == EventKind.FLAG,
                    ~is_void(annotation),
                ),
            )
            .order_by(image.c.id)
        )
        with self._db.read() as connection:
            return list(connection.scalars(query))
