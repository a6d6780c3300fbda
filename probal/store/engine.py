"""Opening the database: pragmas, transactions, migration. The only module that knows it is SQLite.

Writers queue up, readers never wait: WAL mode, every write transaction starts with BEGIN IMMEDIATE (a
transaction that reads first and writes later would fail at once with "database is locked" when another
writer commits between, whatever the timeout), and threads of one process take turns under a lock, so that
only processes meet at SQLite's own lock.

`synchronous=FULL`: a label is the one thing here that no computation brings back, so the commit that
answers it waits for the disk (measured 0.4 to 5 ms) and it survives a power cut, not only a kill.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError

from probal.errors import UserError
from probal.store.migrations import HEAD, REVISIONS

BUSY_SECONDS = 30.0
MIGRATION_SECONDS = 120.0
CACHE_KIB = 16 * 1024
"""Page cache of a connection: the default of 2 MiB does not hold the indexes of 100,000 images."""
_WRITES = "probal_writes"


class Database:
    """Connections to one database; safe to share between threads, never across a fork."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = threading.Lock()

    @classmethod
    def open(cls, location: str | Path) -> Database:
        """Open, create or migrate the database at a path or a `sqlite:///` URL.

        Raises:
            UserError: not a ProbAL database, made by a newer ProbAL, or on a disk that cannot hold it.
        """
        path = _path_of(location)
        database = cls(_engine(path))
        try:
            database._migrate(path)
        except (DatabaseError, sqlite3.DatabaseError, OSError) as error:
            database.close()
            cause = getattr(error, "orig", None) or error
            raise UserError(
                f"the workspace's database {path} cannot be opened ({cause}): "
                "choose another workspace, or restore a backup"
            ) from error
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view for all queries inside; does not write."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its start; committed when the block ends."""
        writing = self._engine.execution_options(**{_WRITES: True})
        with self._writer, writing.begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def _migrate(self, path: Path) -> None:
        if self._is_ready():
            return
        with FileLock(path.with_name(path.name + ".lock"), timeout=MIGRATION_SECONDS):
            # another process may have done it while this one waited
            if self._is_ready():
                return
            self._enter_wal(path)
            if self._revision() != HEAD:
                from probal.store.migrations.upgrade import upgrade  # alembic costs 0.2 s, needed once

                with self.write() as connection:
                    upgrade(connection)

    def _is_ready(self) -> bool:
        """Whether nothing is left to do; a restored backup may have lost its journal mode."""
        if self._revision() != HEAD:
            return False
        with self.read() as connection:
            return bool(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal")

    def _revision(self) -> str | None:
        """Revision the database is at, None if it is empty."""
        with self.read() as connection:
            tables = inspect(connection).get_table_names()
            if not tables:
                return None
            if "alembic_version" not in tables or "annotation" not in tables:
                raise UserError(
                    f"{self._engine.url.database} belongs to another program: choose another workspace"
                )
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        if revision not in REVISIONS:
            raise UserError(
                f"the workspace's database was made by a newer ProbAL (revision {revision}, this one knows "
                f"{HEAD}): update ProbAL, or choose another workspace"
            )
        return str(revision)

    def _enter_wal(self, path: Path) -> None:
        # a property of the file, set once and under the lock: the switch does not honour the busy timeout
        raw = self._engine.raw_connection()
        try:
            cursor = raw.cursor()
            mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            cursor.close()
        finally:
            raw.close()
        if mode != "wal":
            raise UserError(
                f"the disk of {path} cannot hold the workspace's database (no write-ahead log): "
                "choose a workspace on a local disk"
            )


def _path_of(location: str | Path) -> Path:
    if isinstance(location, str) and "://" in location:
        try:
            url = make_url(location)
        except ArgumentError as error:
            raise UserError(f"not a database URL: {location!r}; expected sqlite:///PATH") from error
        if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
            raise UserError(f"a database URL must be sqlite:///PATH so far, not {url.render_as_string()}")
        location = url.database
    return Path(location).absolute()


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS},
        # threads wait at the write lock, not for a connection
        max_overflow=-1,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is sent below, by us
        for pragma in ("foreign_keys=ON", "synchronous=FULL", f"cache_size=-{CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
