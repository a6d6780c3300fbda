"""Who may answer under which name."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi.testclient import TestClient

from probal.types import Project
from probal.web.security import PERSON_SECONDS, TOKEN_HEADER, person_of, person_token
from probal.workspace import Workspace
from tests.web.calls import label, lease, send

Make = Callable[..., Project]


def test_a_persons_token_answers_under_one_name_only(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready()
    client.headers[TOKEN_HEADER] = person_token(workspace.token, "Zoë", time.time())
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


def test_a_persons_token_ages() -> None:
    begun = 1000.0 * PERSON_SECONDS
    token = person_token("secret", "Zoë", begun)
    assert person_token("secret", "Zoë", begun + PERSON_SECONDS - 1) == token
    assert person_of(token, "secret", begun + 2 * PERSON_SECONDS - 1) == "Zoë"
    assert person_of(token, "secret", begun + 2 * PERSON_SECONDS) is None
    assert person_of(token, "secret", begun - 1) is None


def test_a_persons_token_opens_no_image_by_itself(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    (image, *_) = workspace.store.images(ready().id)
    token = person_token(workspace.token, "Zoë", time.time())
    answer = client.get(f"/media/{image.content_hash}/320", headers={TOKEN_HEADER: token})
    assert answer.status_code == 401
