from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from probal.types import Project
from probal.web.api import create_api
from probal.web.hosts import KnownHosts
from probal.web.media import MediaMiddleware
from probal.web.security import TOKEN_HEADER
from probal.workspace import Workspace
from tests.browser import browser, open_window
from tests.drawn import ready, workspace
from tests.web.harness import Harness, painted, serve

__all__ = ["browser", "ready", "workspace"]


@pytest.fixture
def client(workspace: Workspace) -> TestClient:
    app = Starlette(
        routes=[Mount("/api", create_api(workspace))],
        middleware=[Middleware(KnownHosts), Middleware(MediaMiddleware, workspace=workspace)],
    )
    return TestClient(app, "http://127.0.0.1:8501", headers={TOKEN_HEADER: workspace.token})


@pytest.fixture
def harness(workspace: Workspace, ready: Callable[..., Project]) -> Iterator[Harness]:
    with serve(workspace, ready(n=60, audit=6, batch_size=1000)) as running:
        yield running


@pytest.fixture
def page(browser: Browser, harness: Harness) -> Iterator[Page]:
    opened = open_window(browser)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(harness.url)
    painted(opened)
    yield opened
    opened.context.close()
    assert not errors
