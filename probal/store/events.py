"""The log of annotation events: taking them in exactly once, and reading them back.

An event is judged against the log as the events before it, in the same call too, have left it. Everything a
call stores is one short write transaction, and the answer is given after its commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, func, select

from probal.store.judge import Judge
from probal.store.labels import NOW, current, is_void
from probal.store.repository import PROJECT, AnyRow, Repository, chunks
from probal.store.schema import annotation, annotator, image
from probal.types import CurrentLabel, Event, EventKind, RecordResult, Role, StoredEvent

_TARGET = annotation.alias("target")
_LOG = (
    select(
        annotation,
        annotator.c.name.label("annotator"),
        _TARGET.c.event_id.label("target_event_id"),
        (~is_void(annotation)).label("active"),
    )
    .join(annotator, annotator.c.id == annotation.c.annotator_id)
    .outerjoin(_TARGET, _TARGET.c.id == annotation.c.target_id)
    .where(annotation.c.project_id == PROJECT, annotation.c.id > bindparam("after"))
    .order_by(annotation.c.id)
)
_WATERMARK = select(func.max(annotation.c.id)).where(annotation.c.project_id == PROJECT)

_LABEL = current(annotation.c.project_id == PROJECT, until=True)
_LABELS = (
    select(_LABEL, annotator.c.name.label("annotator"))
    .join(annotator, annotator.c.id == _LABEL.c.annotator_id)
    .order_by(_LABEL.c.image_id)
)
_SOME = current(annotation.c.image_id.in_(bindparam("some", expanding=True)))
_SOME_LABELS = (
    select(_SOME, annotator.c.name.label("annotator"))
    .join(annotator, annotator.c.id == _SOME.c.annotator_id)
    .where(annotator.c.project_id == PROJECT)
)

_LATER = annotation.alias("later")
_TOUCHED = (
    select(_LATER.c.image_id)
    .join(image, image.c.id == _LATER.c.image_id)
    .where(
        _LATER.c.project_id == PROJECT,
        _LATER.c.id > bindparam("since"),
        _LATER.c.kind != EventKind.SKIP,
        image.c.role.in_((Role.POOL, Role.AUDIT)),
    )
)
_CHANGED = select(current(annotation.c.image_id.in_(_TOUCHED), until=True))


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
        query = _LOG if limit is None else _LOG.limit(limit)
        with self._db.read() as connection:
            rows = connection.execute(query, {"project_id": project_id, "after": after_row})
            return [_stored(row) for row in rows]

    def watermark(self, project_id: int) -> int:
        """The log's last row, 0 while it is empty."""
        with self._db.read() as connection:
            return connection.scalar(_WATERMARK, {"project_id": project_id}) or 0

    def current_labels(
        self, project_id: int, role: Role | None = None, until: int | None = None, as_given: bool = False
    ) -> list[CurrentLabel]:
        """The label each labeled image has, by image id; of one role, and as of row `until` if given.

        `as_given` names the classes that the events name, as if none had been merged.
        """
        query = _LABELS
        if role is not None:
            query = query.join(image, image.c.id == _LABEL.c.image_id).where(image.c.role == role)
        parameters = {"project_id": project_id, "until": NOW if until is None else until}
        with self._db.read() as connection:
            rows = connection.execute(query, parameters)
            return [_label(row, row.given_id if as_given else row.class_id) for row in rows]

    def labels_of(self, project_id: int, image_ids: Iterable[int]) -> dict[int, CurrentLabel]:
        """The labels of these images by image id; one without a label is absent."""
        labels: dict[int, CurrentLabel] = {}
        with self._db.read() as connection:
            for some in chunks(image_ids):
                rows = connection.execute(_SOME_LABELS, {"project_id": project_id, "some": some})
                labels |= {row.image_id: _label(row, row.class_id) for row in rows}
        return labels

    def label_changes(self, project_id: int, since: int) -> tuple[int, int]:
        """Pool and audit images whose class now is another than at row `since`, none counting as one;
        and by how many labels there are more now than then."""
        parameters = {"project_id": project_id, "since": since}
        with self._db.read() as connection:
            then, now = (
                {
                    row.image_id: row.class_id
                    for row in connection.execute(_CHANGED, {**parameters, "until": until})
                }
                for until in (since, NOW)
            )
        changed = sum(then.get(image_id) != now.get(image_id) for image_id in then.keys() | now.keys())
        return changed, len(now) - len(then)

    def changed_labels(self, project_id: int, since: int) -> int:
        """The first number of `label_changes`."""
        return self.label_changes(project_id, since)[0]


def _label(row: AnyRow, class_id: int) -> CurrentLabel:
    return CurrentLabel(row.image_id, class_id, row.annotator, row.id, row.duration_ms)


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
