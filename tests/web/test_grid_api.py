"""A page of the grid over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from probal.pool.predictions import predictions_path, write_predictions
from probal.types import ImageState, Project, Role
from probal.workspace import Workspace
from tests.web.calls import label, lease, send

Make = Callable[..., Project]


def predict(workspace: Workspace, project: Project, image_ids: Sequence[int], sure: Sequence[float]) -> None:
    """Predictions as the worker leaves them: image i is of class i modulo C, as sure as given."""
    class_ids = [info.id for info in workspace.store.classes(project.id)]
    c, n = len(class_ids), len(image_ids)
    p = np.repeat(((1 - np.asarray(sure)) / (c - 1))[:, None], c, axis=1)
    p[np.arange(n), np.arange(n) % c] = sure
    path = predictions_path(workspace.snapshots_dir, project.id)
    write_predictions(path, image_ids, class_ids, p, np.ones(n), np.zeros(n))


def pool_of(workspace: Workspace, project: Project) -> list[int]:
    return [image.id for image in workspace.store.images(project.id, ImageState.OK, Role.POOL)]


def grid(client: TestClient, **more: Any) -> dict[str, Any]:
    answer = client.post("/api/projects/shapes/grid", json={"annotator": "ada", "client": "w", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_page_holds_one_class_the_surest_first_and_no_audit_image(
    client: TestClient, workspace: Workspace, ready: Make
) -> None:
    project = ready()
    store = workspace.store
    pool = pool_of(workspace, project)
    audit = [image.id for image in store.images(project.id, role=Role.AUDIT)]
    everyone = [*pool, *audit]  # as if the audit had grown after the worker wrote
    sure = np.linspace(0.5, 0.99, len(everyone))
    predict(workspace, project, everyone, sure)
    class_id = store.classes(project.id)[1].id
    page = grid(client, class_id=class_id)
    expected = [image for i, image in enumerate(everyone) if i % 3 == 1 and image in pool]
    assert [item["image_id"] for item in page["items"]] == expected[::-1]
    assert {item["predicted"][0][0] for item in page["items"]} == {class_id}
    assert page["class_id"] == class_id
    assert [len(item["predicted"]) for item in page["items"]] == [3] * len(expected)
    assert client.get(page["items"][0]["media"]).status_code == 200


def test_confirmed_images_leave_the_next_page_and_the_counts(
    client: TestClient, workspace: Workspace, ready: Make
) -> None:
    project = ready()
    pool = pool_of(workspace, project)
    predict(workspace, project, pool, np.full(len(pool), 0.9))
    first = grid(client, n=4)
    waiting = {each["class_id"]: each["waiting"] for each in first["classes"]}
    answers = [label(item, first["class_id"], kind="confirm") for item in first["items"]]
    assert len(send(client, *answers)["accepted"]) == 4
    second = grid(client, n=100, class_id=first["class_id"])
    assert not {each["image_id"] for each in first["items"]} & {each["image_id"] for each in second["items"]}
    assert {each["class_id"]: each["waiting"] for each in second["classes"]} == {
        **waiting,
        first["class_id"]: waiting[first["class_id"]] - 4,
    }


def test_without_a_class_the_surest_page_comes(client: TestClient, workspace: Workspace, ready: Make) -> None:
    project = ready()
    pool = pool_of(workspace, project)
    predict(workspace, project, pool, [0.95 if i % 3 == 2 else 0.6 for i in range(len(pool))])
    assert grid(client)["class_id"] == workspace.store.classes(project.id)[2].id


def test_two_people_get_different_images_and_the_labeler_none_of_them(
    client: TestClient, workspace: Workspace, ready: Make
) -> None:
    project = ready()
    pool = pool_of(workspace, project)
    predict(workspace, project, pool, np.full(len(pool), 0.9))
    class_id = workspace.store.classes(project.id)[0].id
    pages = [grid(client, class_id=class_id, n=3, annotator=name)["items"] for name in ("ada", "bob")]
    single = lease(client, n=20, client="w")["items"]
    ids = [item["image_id"] for item in (*pages[0], *pages[1], *single)]
    assert len(set(ids)) == len(ids)


def test_where_somebody_has_all_of_the_surest_class_the_next_has_a_page(
    client: TestClient, workspace: Workspace, ready: Make
) -> None:
    project = ready()
    pool = pool_of(workspace, project)
    predict(workspace, project, pool, [(0.7, 0.95, 0.8)[i % 3] for i in range(len(pool))])
    classes = [each.id for each in workspace.store.classes(project.id)]
    pages = [grid(client, annotator=name) for name in ("ada", "ben", "cleo", "dan")]
    assert [page["class_id"] for page in pages[:3]] == [classes[1], classes[2], classes[0]]
    assert len({item["image_id"] for page in pages for item in page["items"]}) == len(pool)
    assert pages[3]["items"] == []
    assert "nobody has" in pages[3]["message"]


def test_before_any_round_the_answer_says_so(client: TestClient, ready: Make) -> None:
    ready()
    page = grid(client)
    assert page["items"] == []
    assert page["message"]
