"""A user's mistake ends in one clear line on stderr and exit code 2, and leaves everything as it was."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import pytest

from probal.pool.scan import scan_folder
from probal.store import Store
from tests.cli.conftest import draw_pool, invoke


def contents(workspace: Path) -> dict[str, object]:
    """Every row of the database, and every other file's bytes."""
    with sqlite3.connect(workspace / "probal.sqlite") as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows: dict[str, object] = {t: connection.execute(f"SELECT * FROM {t}").fetchall() for t in tables}
    files = {
        str(file.relative_to(workspace)): file.read_bytes()
        for file in workspace.rglob("*")
        if file.is_file() and not file.name.startswith("probal.sqlite") and file.suffix != ".lock"
    }
    return rows | files


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Path:
    return draw_pool(tmp_path_factory.mktemp("images") / "pool")


@pytest.fixture(scope="module")
def there(tmp_path_factory, pool) -> Path:
    """A workspace with one project, its images known to the store; no command here may change it."""
    workspace = tmp_path_factory.mktemp("there") / "workspace"
    assert invoke(workspace, "init", "there", "--images", pool, "--classes", "red,blue").exit_code == 0
    with Store.open(workspace / "probal.sqlite") as store:
        store.sync_images(store.project("there").id, scan_folder(pool))
    return workspace


@pytest.fixture
def refused(there):
    """Runs a command that must be refused, and returns its one line."""

    def run(*words: object) -> str:
        before = contents(there)
        result = invoke(there, *words)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert result.stderr.endswith("\n")
        assert contents(there) == before
        return result.stderr

    return run


def test_no_such_folder(refused, tmp_path):
    assert "no such folder" in refused("init", "p", "--images", tmp_path / "none", "--classes", "a,b")


def test_a_file_in_the_place_of_a_folder(refused, pool):
    assert "not a folder" in refused("init", "p", "--images", pool / "00.png", "--classes", "a,b")


def test_an_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no image file" in refused("init", "p", "--images", tmp_path / "empty", "--classes", "a,b")


def test_no_readable_image(refused, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.jpg").write_bytes(b"no picture")
    line = refused("init", "p", "--images", tmp_path / "broken", "--classes", "a,b")
    assert "can be read" in line
    assert "a.jpg" in line


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        ("cat", "at least two"),
        ("", "at least two"),
        ("cat,dog,cat", "given twice"),
        ("cat,Cat ", "differ in case only"),
        ("cat,,dog", "is empty"),
        ("cat,<b>dog</b>", "HTML"),
        ("cat,=1+1", "formula"),
        ("cat,@SUM(A1)", "formula"),
        ("cat,+1", "formula"),
        ("cat,-1", "formula"),
        ("cat,d\x07og", "control character"),
    ],
)
def test_class_names(refused, pool, classes, told):
    assert told in refused("init", "p", "--images", pool, "--classes", classes)


def test_classes_given_twice_or_not_at_all(refused, pool, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("cat\ndog\n")
    both = refused("init", "p", "--images", pool, "--classes", "a,b", "--classes-file", names)
    assert both == refused("init", "p", "--images", pool)
    assert "--classes-file" in both


def test_a_file_of_class_names_that_cannot_be_read(refused, pool, tmp_path):
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Bär\nKuh\n".encode("latin-1"))
    assert "not UTF-8" in refused("init", "p", "--images", pool, "--classes-file", latin)
    none = refused("init", "p", "--images", pool, "--classes-file", tmp_path / "none.txt")
    assert "cannot be read" in none


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--encoder", "resnet", "unknown encoder 'resnet'"),
        ("--encoder", "open_clip:NoSuch/none", "NoSuch"),
        ("--prompt", "a photo", "exactly once"),
        ("--prompt", "{} or {}", "exactly once"),
        ("--audit", "many", "--audit many is neither"),
        ("--audit", "-1", "audit size"),
        ("--audit", "1.5", "audit size"),
        ("--audit", "nan", "audit size"),
    ],
)
def test_settings(refused, pool, option, value, told):
    assert told in refused("init", "p", "--images", pool, "--classes", "a,b", option, value)


@pytest.mark.parametrize("name", ["", "a b", "../up", "x" * 65, "é"])
def test_a_name_that_no_address_can_hold(refused, pool, name):
    assert "project's name" in refused("init", name, "--images", pool, "--classes", "a,b")


def test_a_project_that_is_there_already(refused, pool):
    assert "there" in refused("init", "there", "--images", pool, "--classes", "a,b")


@pytest.mark.parametrize(
    "words",
    [
        ["status", "nobody"],
        ["embed", "nobody"],
        ["next", "nobody"],
        ["label", "nobody", "labels.csv"],
        ["predict", "nobody", "--to", "{tmp}/out.csv"],
        ["export", "nobody", "--to", "{tmp}/out"],
    ],
)
def test_no_such_project(refused, tmp_path, words):
    line = refused(*(word.format(tmp=tmp_path) for word in words))
    assert "nobody" in line
    assert "there" in line  # names the one that exists
    assert not list(tmp_path.glob("out*"))


def test_an_unknown_strategy(refused, pool):
    assert "unknown strategy 'best'" in refused("next", "there", "--strategy", "best")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("out.txt", "must end in .csv or .parquet"),
        ("out", "must end in .csv or .parquet"),
        ("nowhere/out.csv", "no folder"),
        ("folder.csv", "is a folder"),
    ],
)
def test_a_destination_that_cannot_be_written(refused, tmp_path, name, told):
    (tmp_path / "folder.csv").mkdir()
    assert told in refused("predict", "there", "--to", tmp_path / name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,label\n00.png,red\n01.png,green\n", "1 unknown class: green (the classes are red, blue)"),
        ("path,label\n00.png,red\n99.png,blue\n", "1 unknown image: 99.png (line 3)"),
        ("path,label\n00.png,red\n00.png,blue\n", "two different labels"),
        ("image,class\n00.png,red\n", "expected path (or file, id, content_hash) and label"),
        ("path,label\n", "holds no label"),
        ("", "empty file"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_labels_file_of_which_nothing_is_taken(refused, tmp_path, text, told, dry_run):
    file = tmp_path / "labels.csv"
    file.write_text(text)
    assert told in refused("label", "there", file, *(["--dry-run"] if dry_run else []))


def test_no_labels_file(refused, tmp_path):
    assert "no labels file" in refused("label", "there", tmp_path / "none.csv")


def test_labels_before_the_images_are_read(probal, pool, tmp_path):
    assert probal("init", "fresh", "--images", pool, "--classes", "a,b").exit_code == 0
    file = tmp_path / "labels.csv"
    file.write_text("path,label\n00.png,a\n")
    result = probal("label", "fresh", file)
    assert result.exit_code == 2
    assert "run probal embed fresh first" in result.stderr


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use(refused, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(command, "--port", port, "--no-browser")
    assert f"port {port} is in use by another program; run probal {command} --port " in line


def test_a_demo_folder_that_cannot_tell_its_classes(refused, tmp_path):
    flat = draw_pool(tmp_path / "flat")
    line = refused("demo", "--pool", flat, "--no-browser", "--port", free_port())
    assert f"probal init NAME --images {flat} --classes a,b,c" in line
    assert "no folder" in refused("demo", "--pool", tmp_path / "none", "--no-browser", "--port", free_port())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{tmp}/none"], "none"),
        (["{pool}"], "subfolder"),
        (["{pool}", "--strategies", "best"], "unknown strategy 'best'"),
        (["{tmp}/none", "--strategies", "probvlm"], "a simulation has none"),
        (["{pool}", "--strategies", ","], "--strategies names none"),
        (["{pool}", "--json", "{tmp}/no/such.json"], "no folder"),
        (["{pool}", "--budget", "many"], "--budget takes whole numbers"),
        (["{pool}", "--batch-size", "0"], "--batch-size takes whole numbers"),
        (["{pool}", "--noise", "1.5"], "noise is a share"),
        (["{pool}", "--adapter", "svm"], "unknown adapter 'svm'"),
    ],
)
def test_simulate(refused, pool, tmp_path, words, told):
    assert told in refused("simulate", *(word.format(tmp=tmp_path, pool=pool) for word in words))


def test_a_workspace_that_cannot_be_one(probal, workspace):
    workspace.write_text("a file")
    result = probal("status", "p")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "--workspace" in result.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
