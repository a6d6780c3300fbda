"""The API under `/api`: images out, events in, and what there is to know about a project.

Endpoints are plain functions, so FastAPI runs each in a thread and the event loop stays free for the pages.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from starlette.responses import FileResponse

from probal import __version__, labeling, validate
from probal.errors import UserError
from probal.labeling import ProjectStatus
from probal.types import Project
from probal.web import grid, views
from probal.web.downloads import Wanted, download
from probal.web.models import (
    Annotations,
    CurvePoint,
    EventsRequest,
    EventsResponse,
    GridRequest,
    GridResponse,
    LeaseRequest,
    LeaseResponse,
    Nearest,
    Rejection,
    RoundOut,
)
from probal.web.nearest import nearest_labeled
from probal.web.security import TOKEN_HEADER, person_of, same_secret
from probal.workspace import Workspace

MAX_ANNOTATIONS = 10_000
MAX_NEAREST = 20


def create_api(workspace: Workspace) -> FastAPI:
    """The API of a workspace, to be mounted under `/api`; its description is at `/api/docs`."""
    api = FastAPI(title="ProbAL", version=__version__, docs_url="/docs", redoc_url=None)
    api.state.workspace = workspace
    api.add_exception_handler(UserError, _user_error)
    api.add_api_route("/health", health)
    api.include_router(router)
    return api


def health() -> dict[str, str]:
    """Whether the server answers; needs no token."""
    return {"status": "ok", "version": __version__}


def _workspace(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.workspace
    return workspace


Here = Annotated[Workspace, Depends(_workspace)]


def _caller(
    workspace: Here, token: Annotated[str | None, Depends(APIKeyHeader(name=TOKEN_HEADER, auto_error=False))]
) -> str | None:
    """Who signed in; None for whoever has the workspace's own token, who may answer under any name."""
    if same_secret(token, workspace.token):
        return None
    person = person_of(token, workspace.token, time.time())
    if person is None:
        wrong = "is missing" if token is None else "is not this workspace's, or too old"
        raise HTTPException(
            401,
            f"the header {TOKEN_HEADER} {wrong}: reload the page, or send PROBAL_TOKEN or what the file 'token' "
            "in the workspace holds",
        )
    return person


Caller = Annotated[str | None, Depends(_caller)]


def _as(caller: str | None, names: Iterable[str]) -> None:
    """Refuses answers under a name that is not the caller's."""
    for name in names:
        if caller is not None and validate.clean(name) != caller:
            raise HTTPException(
                403, f"you are signed in as {caller!r} and cannot answer as {name!r}: reload the page"
            )


def _project(name: str, workspace: Here) -> Project:
    try:
        return workspace.store.project(name)
    except UserError as error:
        raise HTTPException(404, str(error)) from error


Named = Annotated[Project, Depends(_project)]

# in the order of the checks: who asks first, what for second, so that a stranger learns no project's name
router = APIRouter(prefix="/projects/{name}", dependencies=[Depends(_caller)])


@router.post("/lease", response_model_exclude_unset=True)
def lease(request: LeaseRequest, project: Named, workspace: Here, caller: Caller) -> LeaseResponse:
    """Images to label: those this window holds already, then new ones, `n` in all.

    A lease lasts ten minutes and is renewed by asking again. Images of the audit set carry neither `predicted`
    nor `why`.
    """
    _as(caller, [request.annotator])
    store = workspace.store
    items = labeling.lease(store, project, request.annotator, request.client, request.n, request.keep)
    state, message = views.queue_state(store, project, bool(items))
    return LeaseResponse(
        items=views.items(store, project, items, workspace.token),
        state=state,
        message=message,
        progress=views.progress(store, project),
    )


@router.post("/grid")
def grid_page(request: GridRequest, project: Named, workspace: Here, caller: Caller) -> GridResponse:
    """A page of images that the model takes for one class, the surest first, each under a lease of the window.

    Never an image of the audit set. What the window held before and does not name in `keep` is given back.
    """
    _as(caller, [request.annotator])
    return grid.page(workspace, project, request)


@router.get("/images/{image_id}/nearest")
def nearest(
    image_id: Annotated[int, Path(ge=1)],
    project: Named,
    workspace: Here,
    n: Annotated[int, Query(ge=1, le=MAX_NEAREST)] = 4,
) -> list[Nearest]:
    """The labeled images most like one image of the pool, by the encoder's vectors."""
    return nearest_labeled(workspace, project, image_id, n)


@router.post("/events")
def events(request: EventsRequest, project: Named, workspace: Here, caller: Caller) -> EventsResponse:
    """Take in answers, in order. The reply comes after they are committed.

    An event sent again under the same `event_id` is accepted and stored once. One whose lease was taken over is
    rejected with the reason; it is never counted for another image.
    """
    _as(caller, (event.annotator for event in request.events))
    result = labeling.record(workspace.store, project, [event.event() for event in request.events])
    return EventsResponse(
        accepted=list(result.accepted),
        rejected=[Rejection(event_id=event_id, reason=reason) for event_id, reason in result.rejected],
        progress=views.progress(workspace.store, project),
    )


@router.get("/status")
def status(project: Named, workspace: Here) -> ProjectStatus:
    """Images by state, labels, the audit, the latest accuracy and the running job."""
    return labeling.status(workspace.store, project)


@router.get("/annotations")
def event_log(
    project: Named,
    workspace: Here,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ANNOTATIONS)] = MAX_ANNOTATIONS,
) -> Annotations:
    """The log of events, oldest first, from behind row `after` on."""
    return views.event_log(workspace.store, project, after, limit)


@router.get("/rounds")
def rounds(project: Named, workspace: Here) -> list[RoundOut]:
    """The batches proposed so far, with what it takes to replay them."""
    return views.rounds(workspace.store, project)


@router.get("/curve")
def curve(project: Named, workspace: Here) -> list[CurvePoint]:
    """Everything measured, in the order of the labels spent."""
    return views.curve(workspace.store, project)


@router.get("/export", response_class=FileResponse)
def export(
    project: Named,
    workspace: Here,
    wanted: Annotated[Wanted, Query()],
) -> FileResponse:
    """The labels as a download, all or those asked for: a file, or a zip where the format is a folder."""
    return download(workspace, project, wanted)


async def _user_error(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 400)
