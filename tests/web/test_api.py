"""The API against the real store: who may call, what comes out, what goes in exactly once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from probal.types import EventKind, Job, JobKind, Project, Role
from probal.web.security import HOSTS_VARIABLE, TOKEN_HEADER
from probal.workspace import Workspace
from tests.drawn import propose_all
from tests.web.calls import label, lease, send

Make = Callable[..., Project]


def test_health_needs_no_token_and_everything_else_does(client: TestClient, ready: Make) -> None:
    ready()
    del client.headers[TOKEN_HEADER]
    assert client.get("/api/health").json()["status"] == "ok"
    for method, path in [
        ("POST", "lease"),
        ("POST", "events"),
        ("GET", "status"),
        ("GET", "annotations"),
        ("POST", "grid"),
        ("GET", "rounds"),
        ("GET", "images/1/nearest"),
        ("GET", "curve"),
        ("GET", "export"),
    ]:
        missing = client.request(method, f"/api/projects/shapes/{path}")
        wrong = client.request(method, f"/api/projects/shapes/{path}", headers={TOKEN_HEADER: "guess"})
        assert missing.status_code == wrong.status_code == 401
        assert TOKEN_HEADER in missing.json()["detail"]


def test_the_api_describes_itself(client: TestClient) -> None:
    assert client.get("/api/docs").status_code == 200
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {path.rpartition("/")[2] for path in paths if "{name}" in path} == {
        *("lease", "grid", "nearest", "events", "status", "annotations", "rounds", "curve", "export")
    }


@pytest.mark.parametrize("host", ["evil.example.com", "evil.example.com:8501", ""])
def test_a_foreign_name_for_this_machine_is_refused(client: TestClient, ready: Make, host: str) -> None:
    project = ready()
    assert project.name == "shapes"
    answer = client.get("/api/projects/shapes/status", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["localhost:8501", "127.0.0.1", "[::1]:8501", "192.168.1.7", "lab.example.com"]
)
def test_names_without_a_domain_addresses_and_allowed_names_pass(
    client: TestClient, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOSTS_VARIABLE, "lab.example.com, other.example.com")
    assert client.get("/api/health", headers={"Host": host}).status_code == 200


def test_an_unknown_project_is_404_and_names_those_there_are(client: TestClient, ready: Make) -> None:
    ready()
    answer = client.get("/api/projects/nope/status")
    assert answer.status_code == 404
    assert "shapes" in answer.json()["detail"]


def test_a_lease_hands_out_images_with_their_prediction_and_reason(client: TestClient, ready: Make) -> None:
    ready()
    answer = lease(client)
    assert answer["state"] == "ready"
    assert len({item["image_id"] for item in answer["items"]}) == 8
    plain = [item for item in answer["items"] if "predicted" in item]
    assert plain
    for item in plain:
        assert item["proposal_id"] is not None
        assert sum(p for _, p in item["predicted"]) == pytest.approx(1)
        assert item["why"]["contested"][0] == item["predicted"][0]
        assert item["why"]["nearest"]["thumb"].startswith("/media/")


def test_audit_images_are_blind(client: TestClient, ready: Make, workspace: Workspace) -> None:
    project = ready(n=30, audit=5)
    audit = {image.id for image in workspace.store.images(project.id, role=Role.AUDIT)}
    items = {item["image_id"]: item for item in lease(client, n=20)["items"]}
    blind = audit & items.keys()
    assert blind
    for image_id, item in items.items():
        assert ("predicted" not in item and "why" not in item) == (image_id in blind)


def test_two_windows_of_one_person_get_different_images(client: TestClient, ready: Make) -> None:
    ready()
    first = {item["image_id"] for item in lease(client, client="one")["items"]}
    second = {item["image_id"] for item in lease(client, client="two")["items"]}
    assert len(first) == len(second) == 8
    assert not first & second
    assert {item["image_id"] for item in lease(client, client="one")["items"]} == first


def test_an_event_sent_twice_is_accepted_twice_and_stored_once(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready()
    class_id = workspace.store.classes(project.id)[1].id
    item = lease(client)["items"][0]
    event = label(item, class_id, duration_ms=700)
    for _ in range(2):
        answer = send(client, event)
        assert answer["accepted"] == [event["event_id"]]
        assert answer["rejected"] == []
        assert answer["progress"]["labels"] == 1
    stored = workspace.store.events(project.id)
    assert [(one.event.event_id, one.event.image_id, one.event.class_id) for one in stored] == [
        (event["event_id"], item["image_id"], class_id)
    ]


def test_a_lease_taken_over_is_refused_with_a_reason_and_never_re_aimed(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready()
    class_id = workspace.store.classes(project.id)[0].id
    mine, theirs = lease(client)["items"][0], lease(client, annotator="bob")["items"][0]
    stolen = label({"image_id": theirs["image_id"], "lease": mine["lease"]}, class_id)
    answer = send(client, stolen, label(mine, class_id))
    assert [rejection["event_id"] for rejection in answer["rejected"]] == [stolen["event_id"]]
    assert answer["rejected"][0]["reason"]
    assert [one.image_id for one in workspace.store.current_labels(project.id)] == [mine["image_id"]]


def test_undo_and_redo_through_the_api(client: TestClient, ready: Make, workspace: Workspace) -> None:
    project = ready()
    class_id = workspace.store.classes(project.id)[0].id
    event = label(lease(client)["items"][0], class_id)
    undo = {"event_id": str(uuid.uuid4()), "seq": 2, "kind": "undo", "annotator": "ada"}
    undo |= {"target_event_id": event["event_id"], "image_id": event["image_id"], "lease": event["lease"]}
    assert send(client, event, undo)["progress"]["labels"] == 0
    redo = {**undo, "event_id": str(uuid.uuid4()), "kind": "redo", "target_event_id": undo["event_id"]}
    assert send(client, redo)["progress"]["labels"] == 1
    log = client.get("/api/projects/shapes/annotations").json()["annotations"]
    assert [(row["kind"], row["active"]) for row in log] == [("label", True), ("undo", False), ("redo", True)]
    assert log[0]["path"].endswith(".png")
    assert log[0]["class_name"] == "circle"


@pytest.mark.parametrize(
    "body",
    [
        {"annotator": "ada", "n": 65},
        {"annotator": "ada", "n": 0},
        {"annotator": ""},
        {"annotator": "a" * 101},
        {"annotator": "ada", "misspelt": 1},
    ],
)
def test_a_lease_beyond_the_limits_is_422(client: TestClient, ready: Make, body: dict[str, Any]) -> None:
    ready()
    assert client.post("/api/projects/shapes/lease", json=body).status_code == 422


def test_events_beyond_the_limits_are_422_and_nothing_is_stored(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready()
    item = lease(client)["items"][0]
    good = label(item, 1)
    for events in (
        [good] * 1001,
        [{**good, "kind": "guess"}],
        [{**good, "duration_ms": -1}],
        [{**good, "image_id": 2**70}],
        [{**good, "event_id": ""}],
        [{**good, "note": "x" * 2001}],
        [good, {**good, "clas_id": 1}],
    ):
        assert client.post("/api/projects/shapes/events", json={"events": events}).status_code == 422
    assert workspace.store.events(project.id) == []


def test_a_users_mistake_is_400_with_its_line(client: TestClient, ready: Make) -> None:
    ready()
    answer = client.post("/api/projects/shapes/lease", json={"annotator": "reference", "n": 1})
    assert answer.status_code == 400
    assert "reference" in answer.json()["detail"]


def test_the_log_comes_in_pages(client: TestClient, ready: Make, workspace: Workspace) -> None:
    project = ready()
    class_id = workspace.store.classes(project.id)[0].id
    events = [label(item, class_id, seq=i) for i, item in enumerate(lease(client)["items"])]
    send(client, *events)
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = client.get("/api/projects/shapes/annotations", params={"after": after, "limit": 3}).json()
        seen += [row["event_id"] for row in page["annotations"]]
        after = page["next"]
    assert seen == [event["event_id"] for event in events]


def finish_jobs(workspace: Workspace, project: Project, error: str | None = None) -> None:
    while (job := workspace.store.claim("test", project.id)) is not None:
        if error:
            workspace.store.fail(job.id, error)
        else:
            workspace.store.finish(job.id)


def answer_all(client: TestClient, kind: EventKind, class_id: int | None) -> None:
    while items := lease(client, n=64)["items"]:
        send(client, *(label(item, class_id or 0, kind=kind) | {"class_id": class_id} for item in items))


def test_an_empty_lease_says_why_and_what_to_do(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready(n=12, audit=2)
    answer_all(client, EventKind.LABEL, workspace.store.classes(project.id)[0].id)
    assert lease(client)["state"] == "refitting"
    job: Job | None = workspace.store.claim("test", project.id)
    assert job is not None
    workspace.store.progress(job.id, 1, 3, "Choosing the next images")
    assert "1 of 3" in lease(client)["message"]
    workspace.store.fail(job.id, "The disk is full.")
    answer = lease(client)
    assert answer["state"] == "failed"
    assert answer["message"].startswith("The disk is full.")


def test_a_project_being_prepared_says_so(client: TestClient, workspace: Workspace, ready: Make) -> None:
    project = ready()
    workspace.store.enqueue(project.id, JobKind.PREPARE)
    answer_all(client, EventKind.FLAG, None)
    assert lease(client)["state"] in ("preparing", "refitting")


def test_other_work_neither_ends_the_queue_nor_fails_it(
    client: TestClient, workspace: Workspace, ready: Make
) -> None:
    project = ready(n=12, audit=2, batch_size=1000)
    answer_all(client, EventKind.FLAG, None)
    finish_jobs(workspace, project)
    propose_all(workspace, project, n=0)
    job = workspace.store.enqueue(project.id, JobKind.PROBVLM)
    assert lease(client)["state"] == "refitting"
    workspace.store.claim("test", project.id)
    workspace.store.fail(job.id, "too few labels")
    assert lease(client)["state"] == "exhausted"


def test_all_labeled_is_exhausted(client: TestClient, ready: Make, workspace: Workspace) -> None:
    project = ready(n=12, audit=2, batch_size=1000)
    answer_all(client, EventKind.LABEL, workspace.store.classes(project.id)[0].id)
    finish_jobs(workspace, project)
    # a fit that saw everything, with nothing left to propose

    propose_all(workspace, project, n=0)
    answer = lease(client)
    assert answer["state"] == "exhausted"
    assert "Export" in answer["message"]


def test_status_rounds_and_curve(client: TestClient, ready: Make, workspace: Workspace) -> None:
    ready(n=30, audit=5)
    status = client.get("/api/projects/shapes/status").json()
    assert status["images"] == {"ok": 30, "corrupt": 1, "duplicate": 1, "missing": 0}
    assert status["audit_total"] == 5
    (first,) = client.get("/api/projects/shapes/rounds").json()
    assert first["index"] == 0
    assert first["n_proposals"] == 25
    assert client.get("/api/projects/shapes/curve").json() == []
