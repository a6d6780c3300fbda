"""The finish: the model says of every image what it would call it, and which of them show how far it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probal import finish_plan
from probal.adapters import fingerprint
from probal.evaluation.neighbourhood import SHARE, nearest, with_neighbours
from probal.finish_plan import LEVEL, Evidence, FinishPlan
from probal.types import EventKind, Role

if TYPE_CHECKING:
    from probal.session.loop import Session


def evidence(session: Session) -> Evidence:
    """What a finish is planned from, as of the labels so far.

    Tested on the test labels where the user brought some, else on the audit. A flagged image (of no class) and one
    that was skipped count as wrong, since the model would give them a class all the same. Audit images
    that nobody has seen yet are part of what is to be labeled. Images that are alike help each other: the
    probabilities are those of `with_neighbours`, since the whole pool is at hand here.
    """
    store, project = session.store, session.project
    watermark = store.watermark(project.id)
    labels = {label.image_id: label.class_id for label in store.current_labels(project.id)}
    found = session.predict(Role.POOL, Role.AUDIT, Role.TEST)
    ids = np.array([image.id for image in found.images], np.int64)
    roles = np.array([str(image.role) for image in found.images])
    class_ids = np.array([each.id for each in session.classes], np.int64)
    near = nearest(session.rows(found.images), seed=project.config.seed)
    probabilities = with_neighbours(found.probabilities, near, SHARE)
    called = class_ids[probabilities.argmax(1)]
    flagged = set(store.flagged_images(project.id))
    doubted = flagged | _skipped(session)
    given = np.array([labels.get(i, -1) for i in ids.tolist()], np.int64)
    seen = np.array([i in doubted for i in ids.tolist()], bool) | (given >= 0)
    tested_role = Role.TEST if ((roles == Role.TEST) & seen).any() else Role.AUDIT
    tested = (roles == tested_role) & seen
    human = np.array([i in labels or i in flagged for i in ids.tolist()], bool)
    rest = (roles != Role.TEST) & ~human & ~((roles == Role.AUDIT) & seen)
    return Evidence(
        image_ids=ids,
        class_ids=called,
        confidence=probabilities.max(1),
        rest=rest,
        tested=tested,
        wrong=called != given,
        # audit images that somebody skipped are evidence, and still without a label
        left=(roles == Role.AUDIT) & seen & ~human,
        labeled=int(((roles != Role.TEST) & ~rest & ~tested).sum()),
        finite=tested_role is Role.AUDIT,
        neighbours=near.shape[1],
        neighbour_share=SHARE,
        event_watermark=watermark,
        adapter_fingerprint=fingerprint(session.refit()),
    )


def plan(session: Session, precision: float, level: float = LEVEL) -> FinishPlan:
    """What may be labeled at this precision, see `finish_plan.plan`."""
    return finish_plan.plan(session.workspace, session.project, evidence(session), precision, level)


def _skipped(session: Session) -> set[int]:
    """Images somebody passed over."""
    events = session.store.events(session.project.id)
    return {
        stored.event.image_id
        for stored in events
        if stored.active and stored.event.kind is EventKind.SKIP and stored.event.image_id is not None
    }
