"""What is known of every image of a pool, as arrays side by side, N long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from probal.explore import files
from probal.pool.predictions import predictions_path, read_predictions
from probal.store import Store
from probal.types import EventKind, ImageInfo, ImageState, Project, Role
from probal.workspace import Workspace

NONE = -1
"""Stands for no class, annotator, round or group."""
NEAR_AUDIT = "near_audit"
"""Setting: {"image_ids": pool images that are near-duplicates of audit images}."""
_LABELS = frozenset({EventKind.LABEL, EventKind.CONFIRM, EventKind.ADJUDICATE})


@dataclass(frozen=True, eq=False)
class Catalog:
    """The readable pool images of a project, by id, and what is known of each.

    Never audit or test images, nor near-duplicates of audit images.
    """

    images: tuple[ImageInfo, ...]
    ids: np.ndarray  # [N] int64, ascending
    class_ids: np.ndarray  # [N,5] likeliest classes, surest first; NONE where there is no prediction
    p: np.ndarray  # [N,5] their probabilities, 0 where there is none
    entropy: np.ndarray  # [N] of the predictive, nats; NaN where there is none
    label: np.ndarray  # [N] class id, or NONE
    annotator: np.ndarray  # [N] position in `annotators`, or NONE
    annotators: tuple[str, ...]
    round: np.ndarray  # [N] index of the round in which the label was given, or NONE
    flagged: np.ndarray  # [N] bool
    disagreement: np.ndarray  # [N] bool: people gave it different classes
    group: np.ndarray  # [N] number of its group of near-duplicates, or NONE
    xy: np.ndarray  # [N,2] float32 place on the map, NaN off it

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def predicted(self) -> np.ndarray:
        """Likeliest class id [N], or NONE: images that have a label are not predicted."""
        return self.class_ids[:, 0]

    def rows(self, image_ids: Iterable[int]) -> np.ndarray:
        """Positions of these images; ids that are not here are passed over."""
        wanted = np.fromiter(image_ids, np.int64)
        at = np.searchsorted(self.ids, wanted)
        inside = at < len(self.ids)
        return np.asarray(at[inside][self.ids[at[inside]] == wanted[inside]])


def catalog_key(workspace: Workspace, project: Project) -> tuple[object, ...]:
    """Changes whenever `load_catalog` would say something new; cheap to ask for."""
    store = workspace.store
    latest = store.latest_round(project.id)
    here = files.folder(workspace, project)
    written = (predictions_path(workspace.snapshots_dir, project.id), here / files.MAP, here / files.GROUPS)
    return (
        str(workspace.path),
        project.id,
        store.watermark(project.id),
        None if latest is None else latest.index,
        tuple(sorted(store.image_counts(project.id).items())),
        tuple(store.classes(project.id, archived=True)),  # a merge or split moves labels without an event
        tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in written),
    )


def load_catalog(workspace: Workspace, project: Project) -> Catalog:
    """Everything that is known now."""
    store = workspace.store
    apart = near_audit(store, project)
    images = tuple(
        image
        for image in store.images(project.id, state=ImageState.OK, role=Role.POOL)
        if image.id not in apart
    )
    ids = np.array([image.id for image in images], np.int64)
    n = len(ids)
    row = {image_id: i for i, image_id in enumerate(ids.tolist())}

    class_ids, p, entropy = np.full((n, 5), NONE, np.int64), np.zeros((n, 5), np.float32), np.full(n, np.nan)
    predictions = read_predictions(predictions_path(workspace.snapshots_dir, project.id))
    if predictions is not None and n:
        records = predictions.records
        at = np.minimum(np.searchsorted(ids, records["image_id"]), n - 1)
        known = ids[at] == records["image_id"]
        class_ids[at[known]], p[at[known]] = records["class_ids"][known], records["p"][known]
        entropy[at[known]] = records["total"][known]

    label, annotator, round_ = (np.full(n, NONE, np.int64) for _ in range(3))
    names: dict[str, int] = {}
    watermarks = [each.event_watermark for each in store.rounds(project.id)]
    for current in store.current_labels(project.id, Role.POOL):
        i = row.get(current.image_id)
        if i is not None:
            label[i] = current.class_id
            annotator[i] = names.setdefault(current.annotator, len(names))
            # given while the last round that had not seen it was the latest
            round_[i] = max(0, int(np.searchsorted(watermarks, current.event_row)) - 1)
    # a prediction made before the label is no longer of use beside it
    class_ids[label != NONE], p[label != NONE], entropy[label != NONE] = NONE, 0, np.nan

    return Catalog(
        images,
        ids,
        class_ids,
        p,
        entropy,
        label,
        annotator,
        tuple(names),
        round_,
        _marked(n, row, store.flagged_images(project.id)),
        _marked(n, row, contradicted(store, project)),
        _group(workspace, project, ids),
        _places(workspace, project, ids),
    )


def near_audit(store: Store, project: Project) -> set[int]:
    """Pool images that are near-duplicates of audit images, so neither proposed nor trained on."""
    return set(store.get_setting(project.id, NEAR_AUDIT, {"image_ids": []})["image_ids"])


def contradicted(store: Store, project: Project) -> set[int]:
    """Images that two people gave different classes, each one's last answer counting."""
    merged = store.merged_classes(project.id)
    said: dict[int, dict[str, int]] = defaultdict(dict)
    for stored in store.events(project.id):
        event = stored.event
        if (
            stored.active
            and event.kind in _LABELS
            and event.image_id is not None
            and event.class_id is not None
        ):
            said[event.image_id][event.annotator] = merged.get(event.class_id, event.class_id)
    return {image_id for image_id, answers in said.items() if len(set(answers.values())) > 1}


def _marked(n: int, row: dict[int, int], image_ids: Iterable[int]) -> np.ndarray:
    marked = np.zeros(n, bool)
    marked[[row[image_id] for image_id in image_ids if image_id in row]] = True
    return marked


def _group(workspace: Workspace, project: Project, ids: np.ndarray) -> np.ndarray:
    found = files.read_arrays(files.folder(workspace, project) / files.GROUPS)
    if found is None or not len(ids):
        return np.full(len(ids), NONE, np.int64)
    number = dict(zip(found["image_id"].tolist(), found["group"].tolist(), strict=True))
    return np.array([number.get(image_id, NONE) for image_id in ids.tolist()], np.int64)


def _places(workspace: Workspace, project: Project, ids: np.ndarray) -> np.ndarray:
    xy = np.full((len(ids), 2), np.nan, np.float32)
    found = files.read_arrays(files.folder(workspace, project) / files.MAP)
    if found is not None and len(ids):
        at = np.minimum(np.searchsorted(ids, found["image_id"]), len(ids) - 1)
        known = ids[at] == found["image_id"]
        xy[at[known]] = found["xy"][known]
    return xy
