"""Projects, their classes and the facts frozen with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from probal.errors import UserError
from probal.store.base import utc_now
from probal.store.jobs import insert_job
from probal.store.repository import AnyRow, Repository
from probal.store.schema import class_, project, setting
from probal.types import ClassInfo, JobKind, Project, ProjectConfig


class Projects(Repository):
    def create_project(
        self,
        name: str,
        config: ProjectConfig,
        classes: Sequence[tuple[str, str | None]],
        *,
        keys: Sequence[str | None] | None = None,
        settings: Mapping[str, Any] | None = None,
        job: JobKind | None = None,
    ) -> Project:
        """Write a project, its classes as (name, prompt) in order, settings and a first job, all or nothing.

        Raises:
            UserError: a project of this name exists.
        """
        row = {"name": name, "config": dataclasses.asdict(config), "created_at": utc_now()}
        with self._db.write() as connection:
            try:
                project_id = connection.execute(insert(project).returning(project.c.id), row).scalar_one()
            except IntegrityError as error:
                raise UserError(f"a project named {name!r} exists already: choose another name") from error
            for position, (class_name, prompt) in enumerate(classes):
                connection.execute(
                    insert(class_).values(
                        project_id=project_id,
                        name=class_name,
                        prompt=prompt,
                        key=keys[position] if keys is not None else None,
                        position=position,
                        archived=False,
                    )
                )
            for key, value in (settings or {}).items():
                connection.execute(insert(setting).values(project_id=project_id, key=key, value=value))
            if job is not None:
                insert_job(connection, project_id, job)
            return _project(connection.execute(select(project).where(project.c.id == project_id)).one())

    def projects(self) -> list[Project]:
        """All projects, oldest first."""
        with self._db.read() as connection:
            return [_project(row) for row in connection.execute(select(project).order_by(project.c.id))]

    def project(self, name: str) -> Project:
        """The project of this name.

        Raises:
            UserError: there is none; names those there are.
        """
        with self._db.read() as connection:
            row = connection.execute(select(project).where(project.c.name == name)).one_or_none()
            if row is not None:
                return _project(row)
            known = connection.scalars(select(project.c.name).order_by(project.c.name)).all()
        there = f"there are {', '.join(known)}" if known else "create one with `probal init`"
        raise UserError(f"no project named {name!r}; {there}")

    def update_config(self, project_id: int, config: ProjectConfig) -> None:
        """Replace the project's settings."""
        with self._db.write() as connection:
            connection.execute(
                update(project).where(project.c.id == project_id).values(config=dataclasses.asdict(config))
            )

    def classes(self, project_id: int, archived: bool = False) -> list[ClassInfo]:
        """The classes in order; with `archived`, those put away too."""
        with self._db.read() as connection:
            return read_classes(connection, project_id, archived)

    def get_setting(self, project_id: int, key: str, default: Any = None) -> Any:
        """A fact frozen with the project, JSON-able."""
        with self._db.read() as connection:
            row = connection.execute(
                select(setting.c.value).where(setting.c.project_id == project_id, setting.c.key == key)
            ).one_or_none()
        return default if row is None else row.value

    def set_setting(self, project_id: int, key: str, value: Any) -> None:
        """Write a fact, JSON-able; replaces what stood there."""
        with self._db.write() as connection:
            connection.execute(
                delete(setting).where(setting.c.project_id == project_id, setting.c.key == key)
            )
            connection.execute(insert(setting).values(project_id=project_id, key=key, value=value))


def read_classes(connection: Connection, project_id: int, archived: bool) -> list[ClassInfo]:
    """The classes in order, inside the caller's transaction."""
    query = select(class_).where(class_.c.project_id == project_id).order_by(class_.c.position, class_.c.id)
    if not archived:
        query = query.where(class_.c.archived.is_(False))
    return [
        ClassInfo(
            row.id,
            row.name,
            row.prompt,
            row.key,
            row.position,
            row.archived,
            row.color,
            row.merged_into,
            row.reopened_row,
        )
        for row in connection.execute(query)
    ]


def _project(row: AnyRow) -> Project:
    return Project(row.id, row.name, ProjectConfig(**row.config), row.created_at)
