"""The wheel is the whole product: pages, migrations and the labeling surface are in it, nothing besides."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_module_is_in_it(names):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "probal").rglob("*.py")}
    assert modules - names == set()


def test_the_app_and_its_pages_are_in_it(names):
    pages = {f"probal/_app/pages/{path.name}" for path in (ROOT / "pages").glob("*.py")}
    assert len(pages) >= 4
    assert pages | {"probal/_app/app.py", "probal/_app/.streamlit/config.toml"} <= names


@pytest.mark.parametrize("folder", ["probal/store/migrations", "probal/web/labeler"])
def test_what_is_no_module_is_in_it_too(names, folder):
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert len(files) > 2
    assert files - names == set()


def test_nothing_else_is_in_it(names):
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"probal"}
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []
