"""The finish: the model labels the rest of the pool at a precision that the audit certifies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from probal import finished
from probal.adapters import fingerprint
from probal.errors import UserError
from probal.evaluation import Certificate, certify
from probal.finished import FinishRecord, ModelLabel
from probal.types import EventKind, ImageInfo, Role

if TYPE_CHECKING:
    from probal.session.loop import Session

LEVEL = 0.95


@dataclass(frozen=True)
class FinishPlan:
    """What the model may label and what it leaves to people; surest first."""

    certificate: Certificate
    labels: tuple[ModelLabel, ...]
    abstained: tuple[ModelLabel, ...]
    expected_wrong: float
    """Among the labels, by the model's own probabilities."""
    audit_n: int
    """Images that the promise was tested on."""
    event_watermark: int
    adapter_fingerprint: str


def plan(session: Session, precision: float, level: float = LEVEL) -> FinishPlan:
    """What may be labeled at this precision with a probability of at least `level`; see `evaluation.certify`.

    Tested on the test labels where the user brought some, else on the audit. A flagged image (of no class) and one
    that was skipped count as wrong, since the model would give them a class all the same. Audit images
    that nobody has seen yet are part of what is to be labeled.

    Raises:
        UserError: a precision or level outside (0, 1), or no label to test on.
    """
    if not (0 < precision < 1 and 0 < level < 1):
        raise UserError(f"precision and confidence must be between 0 and 1, got {precision:g} and {level:g}")
    store, project = session.store, session.project
    watermark = store.watermark(project.id)
    labels = {label.image_id: label.class_id for label in store.current_labels(project.id)}
    found = session.predict(Role.POOL, Role.AUDIT, Role.TEST)
    ids = np.array([image.id for image in found.images])
    roles = np.array([str(image.role) for image in found.images])
    class_ids = np.array([each.id for each in session.classes])
    called = class_ids[found.probabilities.argmax(1)]
    confidence = found.probabilities.max(1).astype(np.float64)
    flagged = set(store.flagged_images(project.id))
    doubted = flagged | _skipped(session)
    given = np.array([labels.get(i, -1) for i in ids.tolist()])
    seen = np.array([i in doubted for i in ids.tolist()]) | (given >= 0)
    tested_role = Role.TEST if ((roles == Role.TEST) & seen).any() else Role.AUDIT
    tested = (roles == tested_role) & seen
    if not tested.any():
        raise UserError(
            f"'{project.name}' has no audit label yet, and a precision is promised on those: "
            f"label some (they come in between), or see probal status {project.name}"
        )
    human = np.array([i in labels or i in flagged for i in ids.tolist()])
    rest = (roles != Role.TEST) & ~human & ~((roles == Role.AUDIT) & seen)
    certificate = certify(
        confidence[rest],
        confidence[tested],
        (called != given)[tested],
        precision,
        level,
        labeled=int(((roles != Role.TEST) & ~rest & ~tested).sum()),
        finite=tested_role is Role.AUDIT,
    )
    threshold = np.inf if certificate.threshold is None else certificate.threshold
    order = np.flatnonzero(rest)[np.argsort(-confidence[rest], kind="stable")]
    names = {each.id: each.name for each in session.classes}

    def described(row: int) -> ModelLabel:
        image: ImageInfo = found.images[row]
        class_id = int(called[row])
        return ModelLabel(
            image.path, image.content_hash, names[class_id], class_id, float(confidence[row]), str(image.role)
        )

    kept = confidence[order] >= threshold
    # audit images that somebody skipped are evidence, and still without a label
    left = np.flatnonzero((roles == Role.AUDIT) & seen & ~human)
    return FinishPlan(
        certificate,
        tuple(described(row) for row in order[kept].tolist()),
        tuple(described(row) for row in [*order[~kept].tolist(), *left.tolist()]),
        float((1 - confidence[order[kept]]).sum()),
        int(tested.sum()),
        watermark,
        fingerprint(session.refit()),
    )


def accept(session: Session, made: FinishPlan) -> FinishRecord:
    """Keep the plan's labels as the model's; they are no events, so nothing is ever fitted on them.

    Raises:
        UserError: nothing is certified, or labels came since the plan was made.
    """
    store, project = session.store, session.project
    if made.certificate.threshold is None:
        raise UserError("nothing is certified at this precision, so there is nothing to accept")
    if store.watermark(project.id) != made.event_watermark:
        raise UserError("labels came in the meantime: look at the finish again before you accept it")
    record = FinishRecord(
        precision=made.certificate.precision,
        level=made.certificate.level,
        threshold=made.certificate.threshold,
        labels=len(made.labels),
        abstained=len(made.abstained),
        most_wrong=made.certificate.most_wrong,
        expected_wrong=made.expected_wrong,
        event_watermark=made.event_watermark,
        adapter_fingerprint=made.adapter_fingerprint,
        accepted_at=datetime.now(UTC).isoformat(),
    )
    finished.keep(session.workspace, project, made.labels, record)
    return record


def _skipped(session: Session) -> set[int]:
    """Images somebody passed over."""
    events = session.store.events(session.project.id)
    return {
        stored.event.image_id
        for stored in events
        if stored.active and stored.event.kind is EventKind.SKIP and stored.event.image_id is not None
    }
