"""Images for the browser: `/media/<content hash>/<size>`, made on demand and cacheable for ever.

A middleware and not a route, because Streamlit keeps `/media/` for itself: its own files have one path segment
behind it, ours have two.
"""

from __future__ import annotations

import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from probal.pool.decode import UnreadableImage
from probal.pool.placeholder import placeholder_svg
from probal.pool.thumbnails import THUMBNAIL_SIZES, thumbnail
from probal.web.security import TOKEN_HEADER, same_secret, sign_image
from probal.workspace import Workspace

PATH = re.compile(r"/media/(?P<content_hash>[0-9a-f]{64})/(?P<size>\d{1,5})")
# private: a cache between would hand what one header opened to whoever knows the hash
HEADERS = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class MediaMiddleware:
    """Answers the addresses of images and passes everything else on."""

    def __init__(self, app: ASGIApp, workspace: Workspace) -> None:
        self._app = app
        self._workspace = workspace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None:
            await self._app(scope, receive, send)
            return
        response = await self._respond(Request(scope), match["content_hash"], int(match["size"]))
        await response(scope, receive, send)

    async def _respond(self, request: Request, content_hash: str, size: int) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _refuse(405, "images are only read: use GET")
        token = self._workspace.token
        signed = same_secret(request.query_params.get("t"), sign_image(token, content_hash))
        if not signed and not same_secret(request.headers.get(TOKEN_HEADER), token):
            return _refuse(401, f"this image needs its signed address (?t=…) or the header {TOKEN_HEADER}")
        return await run_in_threadpool(self._image, content_hash, size)

    def _image(self, content_hash: str, size: int) -> Response:
        if size not in THUMBNAIL_SIZES:
            return _refuse(
                404, f"images come in the sizes {', '.join(map(str, THUMBNAIL_SIZES))}, not {size}"
            )
        found = self._workspace.store.image_by_hash(content_hash)
        if found is None:
            return _refuse(404, "no project has this image")
        root, image = found
        if root is None:
            return Response(placeholder_svg(image.path, size), media_type="image/svg+xml", headers=HEADERS)
        try:
            path = thumbnail(self._workspace.thumbnails_dir, root / image.path, content_hash, size)
        except UnreadableImage as error:
            return _refuse(404, f"{image.path} cannot be shown: {error}")
        return FileResponse(path, headers=HEADERS)


def _refuse(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers={"Cache-Control": "no-store"})
