"""Classes that change while the labeling goes on: every change in one transaction, on record, and undoable.

Events keep the class id they were given. A merge is a mapping that reads apply (`merged_into`), a split a row up to
which a class's labels no longer count (`reopened_row`); taking either back restores every label as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from probal.errors import UserError
from probal.store.base import utc_now
from probal.store.labels import LABELING, is_undone, refresh_open
from probal.store.projects import read_classes
from probal.store.repository import PROJECT, AnyRow, Repository, chunks
from probal.store.schema import annotation, class_, class_change, proposal
from probal.types import ClassInfo

FIELDS = ("name", "prompt", "key", "position", "archived", "color", "merged_into", "reopened_row")
_BEFORE = (
    select(annotation.c.image_id, class_.c.name)
    .join(class_, class_.c.id == annotation.c.class_id)
    .where(
        annotation.c.project_id == PROJECT,
        annotation.c.image_id.in_(bindparam("some", expanding=True)),
        annotation.c.kind.in_(LABELING),
        annotation.c.id <= class_.c.reopened_row,
        ~is_undone(annotation),
    )
    .order_by(annotation.c.id)
)
Row = Mapping[str, Any]
"""Columns of a class by name, all of `FIELDS` or those that change."""


@dataclass(frozen=True)
class Edits:
    """What a change does to the classes."""

    new: Sequence[Row] = ()
    changed: Mapping[int, Row] = field(default_factory=dict)
    """New values by class id; what is not named stays."""


@dataclass(frozen=True)
class ClassChange:
    """A change on record; `before` and `after` have a row for each class it touched, the same ones in order."""

    id: int
    kind: str
    before: tuple[Row, ...]
    after: tuple[Row, ...]
    undone: bool
    created_at: datetime


class Classes(Repository):
    def change_classes(
        self, project_id: int, kind: str, decide: Callable[[list[ClassInfo], int], Edits]
    ) -> ClassChange:
        """Make one change of the classes, all or nothing.

        Args:
            decide: gets all classes, archived ones too, and the log's last row; says what to write, or raises.
        """
        with self._db.write() as connection:
            known = read_classes(connection, project_id, archived=True)
            last = connection.scalar(
                select(func.max(annotation.c.id)).where(annotation.c.project_id == project_id)
            )
            edits = decide(known, last or 0)
            before = _rows(connection, edits.changed)
            for class_id, values in edits.changed.items():
                _write(connection, class_id, values)
            added = [
                connection.execute(
                    insert(class_).returning(class_.c.id), {"project_id": project_id, **row}
                ).scalar_one()
                for row in edits.new
            ]
            after = _rows(connection, [*edits.changed, *added])
            # a new class cannot be deleted, since rounds may name it: before it was there it counts as archived
            before += [{**row, "archived": True, "key": None} for row in _rows(connection, added)]
            _refresh(connection, before, after)
            row = connection.execute(
                insert(class_change).returning(class_change),
                {
                    "project_id": project_id,
                    "kind": kind,
                    "before": before,
                    "after": after,
                    "undone": False,
                    "created_at": utc_now(),
                },
            ).one()
            return _change(row)

    def undo_class_change(self, project_id: int) -> ClassChange:
        """Take the last change that stands back.

        Raises:
            UserError: none stands.
        """
        query = (
            select(class_change)
            .where(class_change.c.project_id == project_id, class_change.c.undone.is_(False))
            .order_by(class_change.c.id.desc())
            .limit(1)
        )
        with self._db.write() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                raise UserError("no change of the classes is left to undo")
            for each in row.before:
                _write(connection, each["class_id"], {name: each[name] for name in FIELDS})
            _refresh(connection, row.after, row.before)
            connection.execute(update(class_change).where(class_change.c.id == row.id).values(undone=True))
            return _change(row)

    def class_changes(self, project_id: int) -> list[ClassChange]:
        """All changes, oldest first, those taken back too."""
        query = (
            select(class_change).where(class_change.c.project_id == project_id).order_by(class_change.c.id)
        )
        with self._db.read() as connection:
            return [_change(row) for row in connection.execute(query)]

    def merged_classes(self, project_id: int) -> dict[int, int]:
        """For each class id, archived ones too, the id that its labels are read as."""
        with self._db.read() as connection:
            known = read_classes(connection, project_id, archived=True)
        return {each.id: each.merged_into or each.id for each in known}

    def classes_before(self, project_id: int, image_ids: Iterable[int]) -> dict[int, str]:
        """What images were labeled before their class asked for them again, by image id: its name as of now."""
        found: dict[int, str] = {}
        with self._db.read() as connection:
            for some in chunks(image_ids):
                rows = connection.execute(_BEFORE, {"project_id": project_id, "some": some})
                found |= {row.image_id: row.name for row in rows}  # the last one stays
        return found

    def class_names_ever(self, project_id: int) -> dict[str, int]:
        """Class id by every name that a class has or had; a name that moved on is its latest owner's."""
        names = {
            row["name"]: int(row["class_id"])
            for change in self.class_changes(project_id)
            for row in (*change.before, *change.after)
        }
        with self._db.read() as connection:
            known = read_classes(connection, project_id, archived=True)
        return names | {each.name: each.id for each in known}


def _rows(connection: Connection, class_ids: Sequence[int] | Mapping[int, Row]) -> list[dict[str, Any]]:
    columns = [class_.c[name] for name in FIELDS]
    query = select(class_.c.id.label("class_id"), *columns)
    return [dict(connection.execute(query.where(class_.c.id == each)).one()._mapping) for each in class_ids]


def _write(connection: Connection, class_id: int, values: Row) -> None:
    if values:
        connection.execute(update(class_).where(class_.c.id == class_id).values(dict(values)))


def _refresh(connection: Connection, before: Sequence[Row], after: Sequence[Row]) -> None:
    """Bring the queue in line where labels stopped or began to count."""
    rows = {each["class_id"]: each["reopened_row"] for each in before}
    for each in after:
        if rows.get(each["class_id"]) != each["reopened_row"]:
            labeled = select(annotation.c.image_id).where(annotation.c.class_id == each["class_id"])
            connection.execute(refresh_open(proposal.c.image_id.in_(labeled)))


def _change(row: AnyRow) -> ClassChange:
    return ClassChange(row.id, row.kind, tuple(row.before), tuple(row.after), row.undone, row.created_at)
