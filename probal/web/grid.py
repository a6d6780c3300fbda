"""The grid: many images of one predicted class at once, from what the worker wrote with the latest round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from probal import labeling
from probal.pool.predictions import PoolPredictions, predictions_path, read_predictions
from probal.types import EventKind, Project
from probal.web import views
from probal.web.models import GridClass, GridItem, GridRequest, GridResponse
from probal.web.security import image_url
from probal.workspace import Workspace

CARD = 320
NO_PREDICTIONS = "The grid comes with the next round: label a batch one by one first."
WINDOW = "{}:grid"
"""The grid's leases are apart from those of the same window's single images."""


def page(workspace: Workspace, project: Project, request: GridRequest) -> GridResponse:
    """The next images of one class, leased to the window; without any, a message that says why."""
    store = workspace.store
    annotator = labeling.annotator_name(request.annotator)
    predictions = read_predictions(predictions_path(workspace.snapshots_dir, project.id))
    if predictions is None:
        begun = store.latest_round(project.id) is not None
        message = NO_PREDICTIONS if begun else views.queue_state(store, project, False)[1]
        return GridResponse(class_id=None, classes=[], items=[], message=message)
    waiting = _waiting(workspace, project, predictions, request.keep)
    chosen, leased, row_of = None, [], {}
    # others may hold all that is left of a class; then the next surest has a page
    for chosen in (
        _surest_first(predictions, waiting, request.n) if request.class_id is None else [request.class_id]
    ):
        rows = waiting.get(chosen, np.empty(0, np.int64))
        ids = predictions.records["image_id"][rows].tolist()
        row_of = dict(zip(ids, rows.tolist(), strict=True))
        window = WINDOW.format(request.client)
        leased = store.lease_images(
            project.id, annotator, window, ids, request.n, datetime.now(UTC), request.keep
        )
        if leased:
            break
    return GridResponse(
        class_id=chosen,
        classes=[GridClass(class_id=each, waiting=len(found)) for each, found in waiting.items()],
        items=[
            GridItem(
                image_id=item.image_id,
                lease=item.lease,
                media=image_url(workspace.token, item.content_hash, CARD),
                predicted=_predicted(predictions, row_of[item.image_id]),
            )
            for item in leased
        ],
        message="" if leased else "No image is left here that nobody has. Another class may have some.",
    )


def _waiting(
    workspace: Workspace, project: Project, predictions: PoolPredictions, on_their_way: Sequence[int]
) -> dict[int, np.ndarray]:
    """Rows of the images without an answer by likeliest class, the surest first; classes in use only."""
    store = workspace.store
    latest = store.latest_round(project.id)
    since = store.events(project.id, after_row=0 if latest is None else latest.event_watermark)
    active = {one.event.image_id or 0 for one in since if one.active and one.event.kind in ANSWERS}
    left = ~np.isin(predictions.records["image_id"], [*active, *on_their_way])
    groups = predictions.groups()
    return {
        each.id: np.flatnonzero(left[groups[each.id]]) + groups[each.id].start
        for each in store.classes(project.id)
        if each.id in groups
    }


ANSWERS = frozenset({EventKind.LABEL, EventKind.CONFIRM, EventKind.ADJUDICATE, EventKind.FLAG})


def _surest_first(predictions: PoolPredictions, waiting: Mapping[int, np.ndarray], n: int) -> list[int]:
    """The classes with images, that first whose first page holds most images that are right, in expectation."""
    p = predictions.records["p"]
    expected = {each: float(p[rows[:n], 0].sum()) for each, rows in waiting.items() if len(rows)}
    return sorted(expected, key=lambda each: -expected[each])


def _predicted(predictions: PoolPredictions, row: int) -> list[tuple[int, float]]:
    record = predictions.records[row]
    pairs = zip(record["class_ids"].tolist(), record["p"].tolist(), strict=True)
    return [(class_id, p) for class_id, p in pairs if class_id > 0]
