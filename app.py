"""ProbAL's server: Streamlit's pages, the images and the API in one process, the worker beside it.

`streamlit run app.py` and `probal serve` both start this. The workspace is PROBAL_WORKSPACE or the user's data
directory.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount

from probal.errors import UserError
from probal.ui.context import open_workspace
from probal.web.api import create_api
from probal.web.hosts import KnownHosts
from probal.web.media import MediaMiddleware
from probal.web.supervisor import WorkerSupervisor

try:
    workspace = open_workspace()
except UserError as error:
    sys.exit(f"ProbAL cannot start: {error}")


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """The worker runs while the server does."""
    async with WorkerSupervisor(workspace.path):
        yield


app = st.App(
    Path(__file__).resolve().parent / "pages" / "navigation.py",
    routes=[Mount("/api", create_api(workspace))],
    middleware=[Middleware(KnownHosts), Middleware(MediaMiddleware, workspace=workspace)],
    lifespan=lifespan,
)
