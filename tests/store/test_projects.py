from __future__ import annotations

import pytest

from probal.errors import UserError
from probal.store import Store
from probal.types import ClassInfo, JobKind, ProjectConfig
from tests.store.store_world import World

CONFIG = ProjectConfig(
    image_root="/pool", encoder="embedded", template="a {}", batch_size=7, audit=40, seed=5
)


def test_a_project_comes_back_as_it_was_made(store: Store):
    made = store.create_project(
        "birds",
        CONFIG,
        [("tit", None), ("crow", "a black crow")],
        keys=["1", None],
        settings={"centre": {"sha256": "ab"}},
        job=JobKind.PREPARE,
    )
    assert store.project("birds") == made
    assert made.config == CONFIG
    assert store.projects() == [made]
    first, second = store.classes(made.id)
    assert first == ClassInfo(first.id, "tit", None, "1", 0)
    assert second == ClassInfo(second.id, "crow", "a black crow", None, 1)
    assert store.get_setting(made.id, "centre") == {"sha256": "ab"}
    assert [job.kind for job in store.jobs(made.id)] == [JobKind.PREPARE]


def test_a_second_project_of_the_name_writes_nothing(store: Store):
    made = store.create_project("birds", CONFIG, [("tit", None), ("crow", None)])
    with pytest.raises(UserError, match="'birds' exists already"):
        store.create_project("birds", CONFIG, [("a", None), ("b", None)], job=JobKind.PREPARE)
    assert store.projects() == [made]
    assert store.jobs() == []


def test_an_unknown_name_is_told_with_the_known_ones(store: Store):
    with pytest.raises(UserError, match=r"no project named 'birds'; create one"):
        store.project("birds")
    store.create_project("dogs", CONFIG, [("a", None), ("b", None)])
    store.create_project("cats", CONFIG, [("a", None), ("b", None)])
    with pytest.raises(UserError, match=r"no project named 'birds'; there are cats, dogs"):
        store.project("birds")


def test_settings_are_replaced_and_belong_to_one_project(world: World, store: Store):
    other = World(store)
    assert store.get_setting(world.id, "k", default=3) == 3
    store.set_setting(world.id, "k", [1, {"a": None}])
    store.set_setting(world.id, "k", [2])
    assert store.get_setting(world.id, "k") == [2]
    assert store.get_setting(other.id, "k") is None


def test_the_config_can_be_replaced(world: World, store: Store):
    store.update_config(world.id, CONFIG)
    assert store.project(world.project.name).config == CONFIG
