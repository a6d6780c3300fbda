"""A small OpenID Connect provider for the tests: one user, one client, signed tokens, all in this process."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.patience import SECONDS, wait_for

CLIENT, SECRET = "probal", "a-secret-of-the-client"


class Provider:
    """Signs in whoever presses its one button, under `claims`."""

    def __init__(self, claims: dict[str, Any]) -> None:
        self.claims = claims
        self.url = ""
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self._asked: dict[str, dict[str, str]] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )

    def _describe(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked["client_id"] != CLIENT or "openid" not in asked["scope"].split():
            return Response("unknown client", status_code=400)
        code = secrets.token_urlsafe()
        self._asked[code] = asked
        back = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
        return HTMLResponse(f'<a href="{back.replace("&", "&amp;")}">Continue</a>')

    async def _token(self, request: Request) -> Response:
        sent = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self._asked.pop(sent["code"], None)
        if asked is None or sent["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            **{"iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600},
            **{"nonce": asked["nonce"], **self.claims},
        }
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self._key)
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "id_token": token})


@contextmanager
def provider(claims: dict[str, Any]) -> Iterator[Provider]:
    """The provider on a free port of 127.0.0.1 until the block ends."""
    made = Provider(claims)
    server = uvicorn.Server(uvicorn.Config(made.app(), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "provider")
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(SECONDS)
