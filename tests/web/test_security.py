"""Who may answer under which name."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.testclient import TestClient

from probal.types import Project
from probal.web.security import TOKEN_HEADER, person_token
from probal.workspace import Workspace
from tests.web.calls import label, lease, send

Make = Callable[..., Project]


def test_a_persons_token_answers_under_one_name_only(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready()
    client.headers[TOKEN_HEADER] = person_token(workspace.token, "Zoë")
    (item,) = lease(client, n=1, annotator=" Zoë ")["items"]
    class_id = workspace.store.classes(project.id)[0].id
    for path, body in [
        ("lease", {"annotator": "ada"}),
        ("grid", {"annotator": "ada"}),
        ("events", {"events": [label(item, class_id, "Zoë"), label(item, class_id, "ada")]}),
    ]:
        answer = client.post(f"/api/projects/shapes/{path}", json=body)
        assert answer.status_code == 403
        assert "signed in as 'Zoë'" in answer.json()["detail"]
    assert not workspace.store.events(project.id)
    assert send(client, label(item, class_id, "Zoë"))["rejected"] == []
    genuine = client.headers[TOKEN_HEADER]
    for forged in (f"{genuine[:-4]}AAAA", f"{workspace.token}.Wm_Dqw==", genuine.partition(".")[0], "a.b.c"):
        assert client.get("/api/projects/shapes/status", headers={TOKEN_HEADER: forged}).status_code == 401
