from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from probal.store import Store
from tests.store.store_world import World


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new, empty store."""
    with Store.open(tmp_path / "probal.sqlite") as opened:
        yield opened


@pytest.fixture
def world(store: Store) -> World:
    """30 pool, 10 audit and 2 test images, 3 classes, no round yet."""
    return World(store)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples of a property; each makes a project of its own."""
    with Store.open(tmp_path_factory.mktemp("shared") / "probal.sqlite") as opened:
        yield opened
