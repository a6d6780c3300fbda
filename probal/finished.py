"""Labels that the model gave under a promise of precision: kept apart from human ones, never trained on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from probal.export.csv_file import neutralize, restore
from probal.support_set import label_rows
from probal.types import Project
from probal.workspace import Workspace

SETTING = "finish"
LABELS, ABSTAINED = "labels.csv", "abstained.csv"
HUMAN, MODEL = "human", "model"
"""Values of the column `source`; `probal label` takes no row of the model's."""
_COLUMNS = ("path", "content_hash", "label", "class_id", "source", "annotator", "role", "probability")


@dataclass(frozen=True)
class ModelLabel:
    """What the model calls one image that no human labeled."""

    path: str
    content_hash: str
    label: str
    class_id: int
    probability: float
    role: str


@dataclass(frozen=True)
class FinishRecord:
    """An accepted finish: what was promised, of which model, and how much of it there is."""

    precision: float
    level: float
    threshold: float
    labels: int
    abstained: int
    most_wrong: int
    """Upper bound on the wrong ones among the labels, at `level`."""
    expected_wrong: float
    """What the probabilities that they were chosen by expect."""
    event_watermark: int
    adapter_fingerprint: str
    accepted_at: str
    """ISO 8601, UTC."""
    neighbours: int | None = None
    """Nearest images that each image's probabilities were averaged with; None in a record of before it was kept."""
    neighbour_share: float | None = None
    """Weight of these together."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def keep(workspace: Workspace, project: Project, labels: Sequence[ModelLabel], record: FinishRecord) -> None:
    """Make these the project's model labels, in the place of those accepted before."""
    path = _path(workspace, project)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, [_model_cells(each) for each in labels])
    workspace.store.set_setting(project.id, SETTING, record.to_dict())


def discard(workspace: Workspace, project: Project) -> None:
    """Take an accepted finish back: none of its labels is the project's any more."""
    workspace.store.set_setting(project.id, SETTING, None)
    _path(workspace, project).unlink(missing_ok=True)


def record(workspace: Workspace, project: Project) -> FinishRecord | None:
    """The accepted finish, None where there is none."""
    found = workspace.store.get_setting(project.id, SETTING)
    return None if found is None else FinishRecord(**found)


def accepted(workspace: Workspace, project: Project) -> list[ModelLabel]:
    """The accepted model labels in order of the paths; an image that a human answered since is left out."""
    path = _path(workspace, project)
    if not path.exists():
        return []
    store = workspace.store
    answered = {label.image_id for label in store.current_labels(project.id)}
    answered |= set(store.flagged_images(project.id))
    human = {image.content_hash for image in store.images(project.id) if image.id in answered}
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [
        ModelLabel(
            restore(row["path"]),
            row["content_hash"],
            restore(row["label"]),
            int(row["class_id"]),
            float(row["probability"]),
            row["role"],
        )
        for row in rows
        if row["content_hash"] not in human
    ]


def write(
    workspace: Workspace,
    project: Project,
    labels: Sequence[ModelLabel],
    abstained: Sequence[ModelLabel],
    to: Path,
) -> None:
    """Write `labels.csv`, human and model labels told apart by `source`, and `abstained.csv` to the folder `to`.

    In `abstained.csv` the label is the model's best guess, which nothing was promised for.
    """
    to.mkdir(parents=True, exist_ok=True)
    human = [
        (row.path, row.content_hash, row.label, row.class_id, HUMAN, row.annotator, row.role, "")
        for row in label_rows(workspace.store, project)
    ]
    _write(to / LABELS, sorted([*human, *map(_model_cells, labels)]))
    _write(to / ABSTAINED, [_model_cells(each) for each in abstained])


def _path(workspace: Workspace, project: Project) -> Path:
    return workspace.snapshots_dir / str(project.id) / "model-labels.csv"


def _model_cells(label: ModelLabel) -> tuple[object, ...]:
    shown = f"{label.probability:.6f}"
    return (
        label.path, label.content_hash, label.label, label.class_id, MODEL, MODEL, label.role, shown
    )  # fmt: skip


def _write(path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in rows:
            writer.writerow([neutralize(cell) if isinstance(cell, str) else cell for cell in row])
    partial.replace(path)
