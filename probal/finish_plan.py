"""What a finish may promise: from what the model said of every image, without the model.

A worker writes the evidence; whoever asks for a precision gets the plan from it at once. N images.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probal import finished
from probal.errors import UserError
from probal.evaluation import Certificate, certify
from probal.finished import FinishRecord, ModelLabel
from probal.types import ImageInfo, Project, Role
from probal.workspace import Workspace

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the model calls each image of the project [N], and which of them test it."""

    image_ids: NDArray[np.int64]
    class_ids: NDArray[np.int64]  # [N] the likeliest class of each
    confidence: NDArray[np.float64]  # [N] its probability
    rest: NDArray[np.bool_]  # [N] no human has answered for it: it may be labeled
    tested: NDArray[np.bool_]  # [N] a human has, and no model was fitted on it
    wrong: NDArray[np.bool_]  # [N] of these, those that the model calls otherwise
    left: NDArray[np.bool_]  # [N] tested and still without a label
    labeled: int
    """Other images of the pool that a human has answered for."""
    finite: bool
    """The tested images are a sample of the pool, not of elsewhere."""
    neighbours: int
    """Nearest images that each image's probabilities were averaged with."""
    neighbour_share: float
    """Weight of these together."""
    event_watermark: int
    adapter_fingerprint: str

    def save(self, path: Path) -> None:
        """Write it at `path`, whole or not at all."""
        partial = path.with_suffix(".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, **{each.name: getattr(self, each.name) for each in fields(self)})
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Evidence | None:
        """The evidence at `path`; None before the first, or where it cannot be read."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                found = {each.name: kept[each.name] for each in fields(cls)}
        except (FileNotFoundError, KeyError, ValueError, zipfile.BadZipFile):
            return None
        plain: dict[str, Callable[..., object]] = {
            "labeled": int, "finite": bool, "neighbours": int, "neighbour_share": float,
            "event_watermark": int, "adapter_fingerprint": str,
        }  # fmt: skip
        return cls(**{name: plain.get(name, np.asarray)(value) for name, value in found.items()})


@dataclass(frozen=True)
class FinishPlan:
    """What the model may label and what it leaves to people; surest first."""

    certificate: Certificate
    labels: tuple[ModelLabel, ...]
    abstained: tuple[ModelLabel, ...]
    expected_wrong: float
    """Among the labels, by the probabilities that they were chosen by."""
    audit_n: int
    """Images that the promise was tested on."""
    audit_waiting: int
    """Images set aside that still wait for an answer."""
    neighbours: int
    neighbour_share: float
    """As in `Evidence`."""
    event_watermark: int
    adapter_fingerprint: str

    def what_it_takes(self) -> str:
        """What a precision takes that too few images were tested for, and where they come from; empty for enough."""
        found, n, reach = self.certificate, self.audit_n, self.audit_n + self.audit_waiting
        if n >= found.audit_needed:
            return ""
        takes = (
            f"{percent(found.precision)} takes at least {found.audit_needed} labels of randomly drawn images, "
            f"all of them right; there are {n}"
        )
        if reach >= found.audit_needed:
            return f"{takes}, and the other {self.audit_waiting} that were set aside come in between as you label."
        most = math.floor(1000 * (1 - found.level) ** (1 / reach)) / 1000
        return (
            f"{takes}, and {reach} set aside in all: enough for {percent(most)} at most. For more, set more aside "
            "in a new project on the same images, and import these labels there."
        )


def percent(share: float) -> str:
    """A share that somebody chose, as chosen: 95%, 99.5%."""
    return f"{100 * share:.6g}%"


def evidence_path(workspace: Workspace, project: Project) -> Path:
    """Where the worker keeps the evidence of a project."""
    return workspace.snapshots_dir / str(project.id) / "finish-evidence.npz"


def plan(
    workspace: Workspace, project: Project, found: Evidence, precision: float, level: float = LEVEL
) -> FinishPlan:
    """What may be labeled at this precision with a probability of at least `level`; see `evaluation.certify`.

    Raises:
        UserError: a precision or level outside (0, 1), or no label to test on.
    """
    if not (0 < precision < 1 and 0 < level < 1):
        raise UserError(f"precision and confidence must be between 0 and 1, got {precision:g} and {level:g}")
    if not found.tested.any():
        raise UserError(
            f"'{project.name}' has no audit label yet, and a precision is promised on those: "
            f"label some (they come in between), or see probal status {project.name}"
        )
    rest, tested, confidence = found.rest, found.tested, found.confidence
    certificate = certify(
        confidence[rest],
        confidence[tested],
        found.wrong[tested],
        precision,
        level,
        labeled=found.labeled,
        finite=found.finite,
    )
    threshold = np.inf if certificate.threshold is None else certificate.threshold
    order = np.flatnonzero(rest)[np.argsort(-confidence[rest], kind="stable")]
    names = {each.id: each.name for each in workspace.store.classes(project.id, archived=True)}
    images: dict[int, ImageInfo] = {each.id: each for each in workspace.store.images(project.id)}

    def described(row: int) -> ModelLabel:
        image, class_id = images[int(found.image_ids[row])], int(found.class_ids[row])
        return ModelLabel(
            image.path, image.content_hash, names[class_id], class_id, float(confidence[row]), str(image.role)
        )

    kept = confidence[order] >= threshold
    left = np.flatnonzero(found.left)
    return FinishPlan(
        certificate,
        tuple(described(row) for row in order[kept].tolist()),
        tuple(described(row) for row in [*order[~kept].tolist(), *left.tolist()]),
        float((1 - confidence[order[kept]]).sum()),
        int(tested.sum()),
        sum(images[image_id].role is Role.AUDIT for image_id in found.image_ids[rest].tolist()),
        found.neighbours,
        found.neighbour_share,
        found.event_watermark,
        found.adapter_fingerprint,
    )


def accept(workspace: Workspace, project: Project, made: FinishPlan) -> FinishRecord:
    """Keep the plan's labels as the model's; they are no events, so nothing is ever fitted on them.

    Raises:
        UserError: nothing is certified, or labels came since the plan was made.
    """
    if made.certificate.threshold is None:
        raise UserError("nothing is certified at this precision, so there is nothing to accept")
    if workspace.store.watermark(project.id) != made.event_watermark:
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
        neighbours=made.neighbours,
        neighbour_share=made.neighbour_share,
    )
    finished.keep(workspace, project, made.labels, record)
    return record
