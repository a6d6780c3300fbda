"""The log of annotation events: taking them in exactly once, and reading them back.

An event is judged against the log as the events before it, in the same call too, have left it. Everything a
call stores is one short write transaction, and the answer is given after its commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from probal.store.judge import Judge
from probal.store.labels import current, is_void
from probal.store.repository import AnyRow, Repository
from probal.store.schema import annotation, annotator, image
from probal.types import CurrentLabel, Event, EventKind, RecordResult, Role, StoredEvent


class Events(Repository):
    def record(self, project_id: int, events: Sequence[Event], require_lease: bool) -> RecordResult:
        """Store events in order; all that are accepted in one transaction, committed when this returns.

        A known event id is accepted and not stored again. With `require_lease`, a label, confirm, skip or
        flag needs the token that was issued for its image and that nobody took over since.

        Returns:
            The ids accepted, and for each one rejected the reason in words.
        """
        accepted: list[str] = []
        rejected: list[tuple[str, str]] = []
        with self._db.write() as connection:
            judge = Judge(connection, project_id, events, require_lease)
            for event in events:
                problem = judge.take(event)
                if problem is None:
                    accepted.append(event.event_id)
                else:
                    rejected.append((event.event_id, problem))
            judge.close()
        return RecordResult(tuple(accepted), tuple(rejected))

    def events(self, project_id: int, after_row: int = 0, limit: int | None = None) -> list[StoredEvent]:
        """The log from behind a row on, oldest first."""
        target = annotation.alias()
        query = (
            select(
                annotation,
                annotator.c.name.label("annotator"),
                target.c.event_id.label("target_event_id"),
                (~is_void(annotation)).label("active"),
            )
            .join(annotator, annotator.c.id == annotation.c.annotator_id)
            .outerjoin(target, target.c.id == annotation.c.target_id)
            .where(annotation.c.project_id == project_id, annotation.c.id > after_row)
            .order_by(annotation.c.id)
            .limit(limit)
        )
        with self._db.read() as connection:
            return [_stored(row) for row in connection.execute(query)]

    def watermark(self, project_id: int) -> int:
        """The log's last row, 0 while it is empty."""
        query = select(func.max(annotation.c.id)).where(annotation.c.project_id == project_id)
        with self._db.read() as connection:
            return connection.scalar(query) or 0

    def current_labels(
        self, project_id: int, role: Role | None = None, until: int | None = None
    ) -> list[CurrentLabel]:
        """The label each labeled image has, by image id; of one role, and as of row `until` if given."""
        label = current(annotation.c.project_id == project_id, until)
        query = (
            select(label, annotator.c.name.label("annotator"))
            .join(annotator, annotator.c.id == label.c.annotator_id)
            .order_by(label.c.image_id)
        )
        if role is not None:
            query = query.join(image, image.c.id == label.c.image_id).where(image.c.role == role)
        with self._db.read() as connection:
            return [
                CurrentLabel(row.image_id, row.class_id, row.annotator, row.id, row.duration_ms)
                for row in connection.execute(query)
            ]

    def label_counts(self, project_id: int, role: Role | None = None) -> dict[int, int]:
        """Labeled images by class id; a class without one is absent."""
        label = current(annotation.c.project_id == project_id)
        query = select(label.c.class_id, func.count()).group_by(label.c.class_id)
        if role is not None:
            query = query.join(image, image.c.id == label.c.image_id).where(image.c.role == role)
        with self._db.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def changed_labels(self, project_id: int, since: int) -> int:
        """Pool and audit images whose class now is another than at row `since`, none counting as one."""
        touched = (
            select(annotation.c.image_id)
            .join(image, image.c.id == annotation.c.image_id)
            .where(
                annotation.c.project_id == project_id,
                annotation.c.id > since,
                annotation.c.kind != EventKind.SKIP,
                image.c.role.in_((Role.POOL, Role.AUDIT)),
            )
        )
        scope = annotation.c.image_id.in_(touched)
        now, then = current(scope), current(scope, since)
        with self._db.read() as connection:
            before = {row.image_id: row.class_id for row in connection.execute(select(then))}
            after = {row.image_id: row.class_id for row in connection.execute(select(now))}
        return sum(before.get(image_id) != after.get(image_id) for image_id in before.keys() | after.keys())

    def skipped_images(self, project_id: int, role: Role) -> int:
        """Images of this role that were skipped and have no label."""
        label = current(annotation.c.project_id == project_id)
        query = (
            select(func.count(annotation.c.image_id.distinct()))
            .join(image, image.c.id == annotation.c.image_id)
            .where(
                annotation.c.project_id == project_id,
                annotation.c.kind == EventKind.SKIP,
                ~is_void(annotation),
                image.c.role == role,
                image.c.id.not_in(select(label.c.image_id)),
            )
        )
        with self._db.read() as connection:
            return connection.scalar(query) or 0


def _stored(row: AnyRow) -> StoredEvent:
    event = Event(
        row.event_id,
        EventKind(row.kind),
        row.annotator,
        row.seq,
        row.image_id,
        row.class_id,
        row.lease,
        row.target_event_id,
        row.flag_reason,
        row.note,
        row.duration_ms,
    )
    return StoredEvent(row.id, event, row.created_at, bool(row.active))
