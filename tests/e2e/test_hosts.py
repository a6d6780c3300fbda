"""A page on the internet that has its own name resolved to this machine (DNS rebinding) gets nothing from the app."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from probal.workspace import Workspace
from tests.e2e.server import running
from tests.patience import SECONDS


def status(url: str, path: str, host: str, upgrade: bool) -> int:
    """The status line's number of a plain request, or of a WebSocket's, as a browser at http://`host` sends it."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Origin: http://{host}"]
    if upgrade:
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    else:
        lines += ["Connection: close"]
    port = urlsplit(url).port
    with socket.create_connection(("127.0.0.1", port or 0), SECONDS) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(64).split()[1])


@pytest.mark.browser
def test_the_pages_are_refused_under_a_foreign_name(tmp_path: Path) -> None:
    with Workspace(tmp_path / "workspace") as workspace, running(workspace.path, tmp_path / "log") as url:
        own, foreign = urlsplit(url).netloc, f"evil.example.com:{urlsplit(url).port}"
        for path, upgrade, answer in (("/", False, 200), ("/_stcore/stream", True, 101)):
            assert status(url, path, own, upgrade) == answer
            assert status(url, path, foreign, upgrade) in (400, 403)
