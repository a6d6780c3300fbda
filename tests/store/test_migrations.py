from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from probal.errors import UserError
from probal.store import Store
from probal.store.engine import Database
from probal.store.migrations import HEAD, REVISIONS
from probal.store.migrations.upgrade import alembic_config
from probal.store.schema import metadata
from tests.store.store_world import World


def tables_and_indexes(path: Path) -> dict[str, str]:
    """SQL of everything in a database, white space and quotes aside, as alembic and create_all differ there."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: _parts(sql.replace('"', "")) for name, sql in rows if name != "alembic_version"}


def _parts(sql: str) -> str:
    """Columns and constraints sorted, as a column that came later stands last; split at commas outside brackets."""
    head, _, inner = " ".join(sql.split()).partition("(")
    parts, depth = [""], 0
    for char in inner.rstrip(" )") + ")":
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return "\n".join([head.strip(), *sorted(part.strip(" )") for part in parts)])


def test_migrating_an_empty_database_gives_the_metadata(tmp_path: Path):
    database = Database.open(tmp_path / "probal.sqlite")
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    database.close()


def test_migrated_and_created_databases_have_the_same_sql(tmp_path: Path):
    # alembic's comparison does not look at conditions of partial indexes
    Store.open(tmp_path / "migrated.sqlite").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'created.sqlite'}")
    metadata.create_all(engine)
    engine.dispose()
    migrated = tables_and_indexes(tmp_path / "migrated.sqlite")
    assert migrated == tables_and_indexes(tmp_path / "created.sqlite")
    assert {
        "project",
        "class",
        "image",
        "round",
        "proposal",
        "annotation",
        "annotator",
        "job",
        "metric",
    } <= set(migrated)


def test_the_known_revisions_are_those_of_the_files():
    script = ScriptDirectory.from_config(alembic_config())
    assert tuple(reversed([step.revision for step in script.walk_revisions()])) == REVISIONS
    assert script.get_current_head() == HEAD


def test_opening_again_keeps_everything(tmp_path: Path):
    with Store.open(tmp_path / "probal.sqlite") as store:
        world = World(store)
        world.accept(world.label(world.pool[0]))
    with Store.open(f"sqlite:///{tmp_path / 'probal.sqlite'}") as store:
        assert [project.name for project in store.projects()] == [world.project.name]
        assert [label.image_id for label in store.current_labels(world.id)] == [world.pool[0]]


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path):
    path = tmp_path / "probal.sqlite"
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UserError, match=r"newer ProbAL \(revision 9999.*update ProbAL"):
        Store.open(path)


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "notes.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    before = path.read_bytes()
    with pytest.raises(UserError, match="another program"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "probal.sqlite"
    path.write_text("not a database, " * 100)
    with pytest.raises(UserError, match="cannot be opened"):
        Store.open(path)
    assert path.read_text() == "not a database, " * 100


@pytest.mark.parametrize("folder", ["a b", "50% #1?x=y", "ümläut", "file:a"])
def test_any_folder_name_will_do(tmp_path: Path, folder: str):
    path = tmp_path / folder / "probal.sqlite"
    path.parent.mkdir()
    Store.open(path).close()
    assert path.stat().st_size > 0
    assert [found.name for found in tmp_path.iterdir()] == [folder]


@pytest.mark.parametrize("url", ["postgresql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_other_urls_are_refused(url: str):
    with pytest.raises(UserError, match="sqlite:///PATH"):
        Store.open(url)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be opened"):
        Store.open(tmp_path / "missing" / "probal.sqlite")


def test_a_database_that_lost_its_write_ahead_log_gets_it_back(tmp_path: Path):
    path = tmp_path / "probal.sqlite"
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


OPEN = """
import sys
from probal.store import Store
from probal.types import ProjectConfig
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    store.create_project(sys.argv[2], ProjectConfig(image_root=None), [("a", None), ("b", None)])
"""


def test_processes_that_open_a_new_workspace_at_once_all_work(tmp_path: Path):
    path = tmp_path / "probal.sqlite"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path), f"p{i}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    with Store.open(path) as store:
        assert sorted(project.name for project in store.projects()) == ["p0", "p1", "p2"]


def test_threads_that_open_a_new_workspace_at_once_all_work(tmp_path: Path):
    barrier = threading.Barrier(6)
    problems: list[BaseException] = []

    def open_it() -> None:
        barrier.wait()
        try:
            Store.open(tmp_path / "probal.sqlite").close()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
