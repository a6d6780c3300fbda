import uuid
from dataclasses import replace

import numpy as np

from probal.explore import Filter, catalog_key, load_catalog, matching
from probal.explore.actions import bulk_label, undo
from probal.explore.search import around, class_likeness, likeness
from probal.types import Event, EventKind, Project, Role
from probal.workspace import Workspace


def say(workspace: Workspace, project: Project, image_id: int, class_id: int, by: str) -> None:
    event = Event(str(uuid.uuid4()), EventKind.LABEL, by, image_id=image_id, class_id=class_id)
    assert workspace.store.record(project.id, [event], require_lease=False).accepted


def test_audit_images_are_nowhere_and_predictions_stand_beside_their_images(
    workspace: Workspace, explored: Project
) -> None:
    catalog = load_catalog(workspace, explored)
    assert len(catalog) == 31
    assert {image.role for image in catalog.images} == {Role.POOL}
    classes = [each.id for each in workspace.store.classes(explored.id)]
    truth = [classes[int(image.path[:3]) % 3] for image in catalog.images]
    assert catalog.predicted.tolist() == truth
    assert catalog.p[:, 0].min() == np.float32(0.5)


def test_a_label_takes_the_prediction_away_and_undo_brings_it_back(
    workspace: Workspace, explored: Project
) -> None:
    store = workspace.store
    before = load_catalog(workspace, explored)
    key = catalog_key(workspace, explored)
    classes = [each.id for each in store.classes(explored.id)]
    some = before.ids[:4].tolist()
    done = bulk_label(store, explored, some, classes[1], "ada")
    assert catalog_key(workspace, explored) != key
    after = load_catalog(workspace, explored)
    assert after.label[:5].tolist() == [classes[1]] * 4 + [-1]
    assert after.predicted[:4].tolist() == [-1] * 4
    assert (after.annotators, after.annotator[:5].tolist()) == (("ada",), [0] * 4 + [-1])
    assert after.round[:5].tolist() == [0] * 4 + [-1]
    assert undo(store, explored, done.event_ids, "ada") == 4
    assert (load_catalog(workspace, explored).predicted == before.predicted).all()


def test_every_filter_narrows_to_what_it_says(workspace: Workspace, explored: Project) -> None:
    store = workspace.store
    a, b, c = (each.id for each in store.classes(explored.id))
    ids = load_catalog(workspace, explored).ids.tolist()
    bulk_label(store, explored, ids[:3], a, "ada")
    say(workspace, explored, ids[0], b, "bob")
    flag = Event(str(uuid.uuid4()), EventKind.FLAG, "bob", image_id=ids[9], flag_reason="unusable")
    store.record(explored.id, [flag], require_lease=False)
    catalog = load_catalog(workspace, explored)

    def found(**wanted: object) -> list[int]:
        return catalog.ids[matching(catalog, Filter(**wanted))].tolist()  # type: ignore[arg-type]

    assert found() == ids
    assert found(labels=(a,)) == ids[1:3]
    assert found(labels=(a, b)) == ids[:3]
    assert found(labeled=True) == ids[:3]
    assert found(labeled=False) == ids[3:]
    assert found(annotators=("bob",)) == ids[:1]
    assert found(disagreement=True) == ids[:1]
    assert found(flagged=True) == ids[9:10]
    assert found(rounds=(0,)) == ids[:3]
    assert found(rounds=(1,)) == []
    assert found(predicted=(c,)) == [
        i for i, p in zip(ids, catalog.predicted.tolist(), strict=True) if p == c
    ]
    sure = found(confidence=(0.9, 1.0))
    assert 0 < len(sure) < 10
    assert catalog.p[catalog.rows(sure), 0].min() >= 0.9
    assert found(path=catalog.images[7].path.upper()) == ids[7:8]
    assert found(duplicates=True) == []
    assert found(labels=(a,), annotators=("bob",)) == []


def test_more_like_these_finds_the_same_shape(workspace: Workspace, explored: Project) -> None:
    catalog = load_catalog(workspace, explored)
    order = np.argsort(-likeness(workspace, explored, catalog, [int(catalog.ids[0])]))
    assert order[0] == 0
    same = [catalog.predicted[i] == catalog.predicted[0] for i in order[:10]]
    assert all(same)


def test_a_class_is_searched_by_its_probability_until_it_has_a_label(
    workspace: Workspace, explored: Project
) -> None:
    catalog = load_catalog(workspace, explored)
    rare = int(catalog.predicted[5])
    assert (
        class_likeness(workspace, explored, catalog, rare).argmax()
        == np.flatnonzero(catalog.predicted == rare)[-1]
    )
    bulk_label(workspace.store, explored, [int(catalog.ids[5])], rare, "ada")
    catalog = load_catalog(workspace, explored)
    best = np.argsort(-class_likeness(workspace, explored, catalog, rare))[1:8]
    assert set(catalog.predicted[best].tolist()) == {rare}


def test_around_is_the_nearest_on_the_map_in_the_order_asked_for(
    workspace: Workspace, explored: Project
) -> None:
    catalog = load_catalog(workspace, explored)
    n = len(catalog)
    xy = np.column_stack([np.arange(n), np.zeros(n)]).astype(np.float32)
    xy[[1, 7]] = np.nan  # not on the map
    catalog = replace(catalog, xy=xy)
    rows = np.arange(n)[::-1]
    assert around(catalog, np.array([2, 20, 7]), rows, 5).tolist() == [21, 20, 19, 3, 2]
    assert around(catalog, np.array([2]), rows[rows > 4], 2).tolist() == [6, 5]
    assert around(catalog, np.array([7]), rows, 5).tolist() == []
    assert len(around(catalog, np.array([2]), rows, 1000)) == n - 2
