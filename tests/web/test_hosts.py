"""Under which names the server answers, WebSockets included; tests/e2e/test_hosts.py asks the whole app."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from probal.web.hosts import KnownHosts
from probal.web.security import HOSTS_VARIABLE


async def greet(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("the token")
    await socket.close()


@pytest.fixture
def pages() -> TestClient:
    return TestClient(
        Starlette(routes=[WebSocketRoute("/stream", greet)], middleware=[Middleware(KnownHosts)])
    )


def test_a_web_socket_opens_under_known_names_only(
    pages: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pages.websocket_connect("/stream", headers={"Host": "localhost:8501"}) as socket:
        assert socket.receive_text() == "the token"
    foreign = {"Host": "evil.example.com:8501", "Origin": "http://evil.example.com:8501"}
    with pytest.raises(WebSocketDisconnect), pages.websocket_connect("/stream", headers=foreign):
        pass
    monkeypatch.setenv(HOSTS_VARIABLE, "evil.example.com")
    with pages.websocket_connect("/stream", headers=foreign) as socket:
        assert socket.receive_text() == "the token"


def test_every_address_is_behind_it(pages: TestClient) -> None:
    assert pages.get("/nothing", headers={"Host": "127.0.0.1"}).status_code == 404
    refused = pages.get("/nothing", headers={"Host": "evil.example.com"})
    assert (refused.status_code, "PROBAL_ALLOWED_HOSTS=evil.example.com" in refused.text) == (400, True)
