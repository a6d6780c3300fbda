"""Refuses every request, of pages, API and images alike, under a name that is not this server's."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from probal.web.security import host_problem


class KnownHosts:
    """Middleware around the whole app.

    The pages need it most: they come over a WebSocket that Streamlit opens for whatever name stands in both `Origin`
    and `Host`, and they hand out the token.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks = scope["type"] in ("http", "websocket")
        problem = host_problem(HTTPConnection(scope).headers.get("host")) if asks else None
        if problem is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(reason="unknown host")(scope, receive, send)
        else:
            refusal = JSONResponse({"detail": problem}, 400, headers={"Cache-Control": "no-store"})
            await refusal(scope, receive, send)
