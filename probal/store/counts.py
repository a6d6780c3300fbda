"""Counting what the log says now."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, func, select, union

from probal.store.labels import LABELING, NOW, answers, current, is_void
from probal.store.repository import PROJECT, Repository
from probal.store.schema import annotation, image, proposal, round_
from probal.types import EventKind, ImageState, Role

_LABEL = current(annotation.c.project_id == PROJECT)
_BY_CLASS = (
    select(image.c.role, _LABEL.c.class_id, func.count())
    .join(image, image.c.id == _LABEL.c.image_id)
    .group_by(image.c.role, _LABEL.c.class_id)
)

_ANSWER = answers(annotation.c.project_id == PROJECT)
_THEN = answers(annotation.c.project_id == PROJECT, until=True)
_FLAGGED = select(_THEN.c.image_id).where(_THEN.c.flag > _THEN.c.label).order_by(_THEN.c.image_id)
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
_USED = union(
    select(proposal.c.image_id)
    .join(round_, round_.c.id == proposal.c.round_id)
    .where(round_.c.project_id == PROJECT),
    select(annotation.c.image_id)
    .join(image, image.c.id == annotation.c.image_id)
    .where(annotation.c.project_id == PROJECT, annotation.c.kind.in_(LABELING), image.c.role != Role.AUDIT),
)


class Counts(Repository):
    def label_counts(self, project_id: int) -> dict[Role, dict[int, int]]:
        """Labeled images by role and class id; every role is there, a class without one is not."""
        counts: dict[Role, dict[int, int]] = {role: {} for role in Role}
        with self._db.read() as connection:
            for role, class_id, n in connection.execute(_BY_CLASS, {"project_id": project_id}):
                counts[Role(role)][class_id] = n
        return counts

    def labels_spent(self, project_id: int) -> int:
        """Pool and audit images that have a label."""
        with self._db.read() as connection:
            return connection.scalar(_SPENT, {"project_id": project_id}) or 0

    def flagged_images(self, project_id: int, until: int | None = None) -> list[int]:
        """Images that a flag took out of the queue; as of event row `until` if given."""
        parameters = {"project_id": project_id, "until": NOW if until is None else until}
        with self._db.read() as connection:
            return list(connection.scalars(_FLAGGED, parameters))

    def used_images(self, project_id: int) -> set[int]:
        """Images that a round ever proposed, or that are not of the audit and were ever labeled, undone or not."""
        with self._db.read() as connection:
            return set(connection.scalars(_USED, {"project_id": project_id}))

    def skipped_images(self, project_id: int, role: Role) -> int:
        """Images of this role that were skipped and have no label."""
        with self._db.read() as connection:
            return connection.scalar(_SKIPPED, {"project_id": project_id, "role": role}) or 0

    def unanswered_images(self, project_id: int) -> int:
        """Readable pool and audit images that have neither a label nor a flag."""
        with self._db.read() as connection:
            readable = connection.scalar(_READABLE, {"project_id": project_id}) or 0
            return readable - (connection.scalar(_ANSWERED, {"project_id": project_id}) or 0)
