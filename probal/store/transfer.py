"""A project's rows from one database into another, for backup and restore; every id moves by one number per table.

The target gets the same rows in the same order, each id plus the highest that the target's table had. Order means
something here (the log's is that of its ids), so it must survive. Leases, jobs and the list of exports stay behind:
they speak of windows, processes and folders of the machine they were made on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import JSON, Connection, Table, func, insert, select

from probal.errors import UserError
from probal.store.base import metadata
from probal.store.projects import Projects
from probal.store.repository import CHUNK, chunks
from probal.store.schema import export, job, lease, project, snapshot
from probal.types import Project

_STAY = (lease, job, export)
_IDS = {
    **dict.fromkeys(("image_id", "image_ids", "pending_ids", "nearest_labeled", "first_images"), "image"),
    **dict.fromkeys(("class_id", "class_ids", "merged_into"), "class"),
    **dict.fromkeys(("event_watermark", "reopened_row"), "annotation"),
}
"""Names, of columns and inside JSON, under which ids stand without a foreign key, and the table they are of."""
_PAIRS = ("predicted", "contested")
"""Lists of (class id, probability)."""


@dataclass(frozen=True)
class Shift:
    """By how much the ids of each table move, by its name."""

    by: Mapping[str, int]

    def id(self, table: str, old: int) -> int:
        """The new id; 0, which stands for none, stays."""
        return old + self.by[table] if old else old

    def value(self, name: str, value: Any) -> Any:
        """What stands under this name, with the ids in it moved."""
        if name in _PAIRS:
            return [[self.id("class", class_id), p] for class_id, p in value]
        if name in _IDS and isinstance(value, list):
            return [self.id(_IDS[name], each) for each in value]
        if name in _IDS and isinstance(value, int):
            return self.id(_IDS[name], value)
        if isinstance(value, dict):
            return {key: self.value(key, each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.value("", each) for each in value]
        return value


Place = Callable[[int, Shift], Mapping[str, tuple[str, str]]]
"""Puts a project's files in place, given its new id and the shift; the new (path, sha256) of each snapshot's path.

Runs before the rows are committed: where it fails, nothing is stored.
"""


class Transfer(Projects):
    def copy_project(
        self,
        into: Transfer,
        name: str,
        new_name: str | None = None,
        image_root: str | None = None,
        place: Place | None = None,
    ) -> Project:
        """Write this project's rows into another store, all or nothing, as one view of one moment.

        Args:
            new_name: what it is called there; None for the same.
            image_root: folder of its images there; None for the same.

        Raises:
            UserError: the other store has a project of this name.
        """
        own = self.project(name)
        new_name = new_name or name
        with self._db.read() as source, into._db.write() as target:
            if target.scalar(select(project.c.id).where(project.c.name == new_name)) is not None:
                raise UserError(
                    f"there is a project named {new_name!r} already, and nothing is overwritten: "
                    "give another name with --name"
                )
            shift = Shift({table.name: _highest(target, table) for table in metadata.sorted_tables})
            snapshots = {} if place is None else place(shift.id("project", own.id), shift)
            config = own.config if image_root is None else replace(own.config, image_root=image_root)
            named = {"name": new_name, "config": asdict(config)}
            for table in metadata.sorted_tables:
                if table not in _STAY:
                    _copy(source, target, table, own.id, shift, snapshots, named if table is project else {})
        return into.project(new_name)


def _highest(target: Connection, table: Table) -> int:
    return target.scalar(select(func.max(table.c.id))) or 0 if "id" in table.c else 0


def _copy(
    source: Connection,
    target: Connection,
    table: Table,
    project_id: int,
    shift: Shift,
    snapshots: Mapping[str, tuple[str, str]],
    instead: Mapping[str, Any],
) -> None:
    mine = table.c.id == project_id if table is project else table.c.project_id == project_id
    query = select(table).where(mine).order_by(*table.primary_key.columns)
    rows = source.execution_options(yield_per=CHUNK).execute(query).mappings()
    for some in chunks(rows):
        moved = [
            {str(column): _moved(table, str(column), dict(row), shift) for column in row} | dict(instead)
            for row in some
        ]
        if table is snapshot:
            for row in moved:
                row["path"], row["sha256"] = snapshots.get(row["path"], (row["path"], row["sha256"]))
        target.execute(insert(table), moved)


def _moved(table: Table, name: str, row: Mapping[str, Any], shift: Shift) -> Any:
    column, value = table.c[name], row[name]
    if value is None:
        return None
    if name == "id":
        return shift.id(table.name, value)
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return shift.id(key.column.table.name, value)
    if isinstance(column.type, JSON):
        # a setting is known by its key, any other JSON by its column
        return shift.value(row["key"] if table.name == "setting" else name, value)
    return shift.value(name, value) if name in _IDS else value
