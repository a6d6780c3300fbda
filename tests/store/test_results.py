from __future__ import annotations

from probal.store import Store
from probal.types import Metric
from tests.store.store_world import World

ACCURACY = Metric("accuracy", 0.5, 0.4, 0.6, 20, 10, 1, True, {"per_class": {"cat": 0.5}})


def test_measurements_come_back_in_the_order_of_the_curve(world: World, store: Store):
    later = Metric("accuracy", 0.7, None, None, 20, 20, 2)
    loss = Metric("nll", 1.5, None, None, 20, 10, 1)
    store.add_metrics(world.id, [later, loss, ACCURACY])
    assert store.metrics(world.id) == [ACCURACY, loss, later]
    assert store.metrics(world.id, "accuracy") == [ACCURACY, later]
    assert store.metrics(World(store).id) == []


def test_measuring_a_point_again_replaces_it(world: World, store: Store):
    again = Metric("accuracy", 0.55, 0.45, 0.65, 25, 10, 1)
    store.add_metrics(world.id, [ACCURACY])
    store.add_metrics(world.id, [again])
    assert store.metrics(world.id) == [again]


def test_exports_are_listed_newest_first(world: World, store: Store):
    first = store.add_export(world.id, "/out/1", ["csv"], 3)
    second = store.add_export(world.id, "/out/2", ["csv", "imagefolder"], 5)
    assert store.exports(world.id) == [second, first]
    assert second.formats == ("csv", "imagefolder")
