from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from probal.store import Store
from probal.store.engine import Database
from probal.store.schema import project, proposal
from tests.store.store_world import START, World


def row(name: str, created_at: datetime = START) -> dict[str, object]:
    return {"name": name, "config": {}, "created_at": created_at}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "probal.sqlite")


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(select(project.c.name)))


def test_what_a_block_writes_is_kept_whole_or_not_at_all(database: Database):
    with database.write() as connection:
        connection.execute(insert(project), [row("a"), row("b")])
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(project), [row("c"), row("a")])
    assert names(database) == ["a", "b"]


def test_a_read_block_sees_one_state_while_others_write(database: Database):
    with database.read() as connection:
        assert connection.scalars(select(project.c.name)).all() == []
        with database.write() as other:
            other.execute(insert(project), [row("a")])
        assert connection.scalars(select(project.c.name)).all() == []
    assert names(database) == ["a"]


def test_a_write_block_holds_the_lock_from_its_start(database: Database, tmp_path: Path):
    other = sqlite3.connect(tmp_path / "probal.sqlite", timeout=0, isolation_level=None)
    with database.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_read_block_holds_up_no_writer(database: Database, tmp_path: Path):
    other = sqlite3.connect(tmp_path / "probal.sqlite", timeout=0, isolation_level=None)
    with database.read() as connection:
        connection.execute(select(project))
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")
    other.close()


def test_every_connection_is_set_up(database: Database):
    with database.read() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}


def test_a_row_that_refers_to_nothing_is_refused(database: Database):
    bad = {
        "project_id": 1,
        "round_id": 1,
        "image_id": 1,
        "rank": 0,
        "predicted": [],
        "reason": {},
        "open": True,
    }
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), database.write() as connection:
        connection.execute(insert(proposal), [bad])


def test_times_come_back_aware_and_naive_ones_are_refused(database: Database):
    with database.write() as connection:
        connection.execute(insert(project), [row("a")])
        assert connection.scalar(select(project.c.created_at)) == START
        assert connection.scalar(select(project.c.created_at)).tzinfo is not None
    with pytest.raises(StatementError, match="naive"), database.write() as connection:
        connection.execute(insert(project), [row("b", START.replace(tzinfo=None))])


LABEL = """
import sys
from probal.store import Store
from probal.types import Event, EventKind
store = Store.open(sys.argv[1])
for number in range(10_000):
    event = Event(f"k{number}", EventKind.LABEL, "ann", image_id=int(sys.argv[2]), class_id=int(sys.argv[3]))
    assert store.record(1, [event], False).accepted
    print(event.event_id, flush=True)
"""


def test_an_answered_event_survives_a_kill(tmp_path: Path):
    path = tmp_path / "probal.sqlite"
    with Store.open(path) as store:
        world = World(store)
        assert world.id == 1
    process = subprocess.Popen(
        [sys.executable, "-c", LABEL, str(path), str(world.pool[0]), str(world.classes[0])],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    answered += process.stdout.read().split()
    process.wait()
    with Store.open(path) as store:
        stored = [stored.event.event_id for stored in store.events(world.id)]
        assert stored[: len(answered)] == answered
        assert len(stored) - len(answered) in (0, 1)
        assert store.record(world.id, [world.label(world.pool[1])], False).rejected == ()
