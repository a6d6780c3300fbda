"""Calls of the API as a client makes them."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi.testclient import TestClient


def lease(api: TestClient, n: int = 8, annotator: str = "ada", **more: Any) -> dict[str, Any]:
    answer = api.post("/api/projects/shapes/lease", json={"annotator": annotator, "n": n, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def label(item: dict[str, Any], class_id: int, annotator: str = "ada", **more: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()),
        "seq": 1,
        "kind": "label",
        "image_id": item["image_id"],
        "lease": item["lease"],
        "class_id": class_id,
        "annotator": annotator,
        **more,
    }


def send(client: TestClient, *events: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/api/projects/shapes/events", json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    return answer.json()
