"""Counting what the log says now."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, case, func, select

from probal.store.labels import ANSWERING, NOW, current, is_void
from probal.store.repository import PROJECT, Repository
from probal.store.schema import annotation, image
from probal.types import EventKind, ImageState, Role

_LABEL = current(annotation.c.project_id == PROJECT, until=True)
_BY_CLASS = (
    select(_LABEL.c.class_id, func.count())
    .join(image, image.c.id == _LABEL.c.image_id)
    .group_by(_LABEL.c.class_id)
)

# one row an image that left the queue; faster than `current` where the class does not matter
_IS_FLAG = annotation.c.kind == EventKind.FLAG
_ANSWER = (
    select(
        annotation.c.image_id,
        func.max(case((_IS_FLAG, annotation.c.id), else_=0)).label("flag"),
        func.max(case((_IS_FLAG, 0), else_=annotation.c.id)).label("label"),
    )
    .where(annotation.c.project_id == PROJECT, annotation.c.kind.in_(ANSWERING), ~is_void(annotation))
    .group_by(annotation.c.image_id)
    .subquery()
)
_FLAGGED = select(_ANSWER.c.image_id).where(_ANSWER.c.flag > _ANSWER.c.label).order_by(_ANSWER.c.image_id)
_SPENT = (
    select(func.count())
    .select_from(_ANSWER)
    .join(image, image.c.id == _ANSWER.c.image_id)
    .where(_ANSWER.c.label > _ANSWER.c.flag, image.c.role != Role.TEST)
)
_SEEN = and_(image.c.state == ImageState.OK, image.c.role != Role.TEST)
_READABLE = select(func.count()).where(image.c.project_id == PROJECT, _SEEN)
_ANSWERED = (
    select(func.count()).select_from(_ANSWER).join(image, image.c.id == _ANSWER.c.image_id).where(_SEEN)
)
_SKIPPED = (
    select(func.count(annotation.c.image_id.distinct()))
    .join(image, image.c.id == annotation.c.image_id)
    .where(
        annotation.c.project_id == PROJECT,
        annotation.c.kind == EventKind.SKIP,
        ~is_void(annotation),
        image.c.role == bindparam("role"),
        image.c.id.not_in(select(_ANSWER.c.image_id).where(_ANSWER.c.label > _ANSWER.c.flag)),
    )
)


class Counts(Repository):
    def label_counts(self, project_id: int, role: Role | None = None) -> dict[int, int]:
        """Labeled images by class id, of one role or all; a class without one is absent."""
        query = _BY_CLASS if role is None else _BY_CLASS.where(image.c.role == role)
        with self._db.read() as connection:
            rows = connection.execute(query, {"project_id": project_id, "until": NOW})
            return {class_id: n for class_id, n in rows}  # noqa: C416  a row is no pair to dict()

    def labels_spent(self, project_id: int) -> int:
        """Pool and audit images that have a label."""
        with self._db.read() as connection:
            return connection.scalar(_SPENT, {"project_id": project_id}) or 0

    def flagged_images(self, project_id: int) -> list[int]:
        """Images that a flag took out of the queue."""
        with self._db.read() as connection:
            return list(connection.scalars(_FLAGGED, {"project_id": project_id}))

    def skipped_images(self, project_id: int, role: Role) -> int:
        """Images of this role that were skipped and have no label."""
        with self._db.read() as connection:
            return connection.scalar(_SKIPPED, {"project_id": project_id, "role": role}) or 0

    def unanswered_images(self, project_id: int) -> int:
        """Readable pool and audit images that have neither a label nor a flag."""
        with self._db.read() as connection:
            readable = connection.scalar(_READABLE, {"project_id": project_id}) or 0
            return readable - (connection.scalar(_ANSWERED, {"project_id": project_id}) or 0)
