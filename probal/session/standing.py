"""How each pool image stands towards the next choice: labeled, out for labeling, settled without a label, set apart.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch
from torch import Tensor

from probal.explore.catalog import near_audit
from probal.store import Store
from probal.types import ClassInfo, ImageInfo, Project, Role


@dataclass(frozen=True, eq=False)
class Standing:
    """Rows of the pool; those in none of the four are free to be proposed."""

    labeled: Tensor  # [n] int64, in the order in which the labels were given
    labels: Tensor  # [n] int64 classes
    pending: Tensor  # [m] int64, the last to be handed out last; also those answered after the fit's events
    closed: Tensor  # [k] int64 flagged, or labeled with a class that is archived
    excluded: Tensor  # [l] int64 near-duplicates of audit images
    pending_ids: list[int]
    """Image ids in somebody's hands or answered since, whatever else they are."""

    def taken(self) -> Tensor:
        """All that is not free, [n+m+k+l]."""
        return torch.cat([self.labeled, self.pending, self.closed, self.excluded])

    def among(self, keep: Tensor) -> Standing:
        """The same by position in `keep`, ascending rows that hold all of `taken()`."""
        return replace(
            self,
            labeled=torch.searchsorted(keep, self.labeled),
            pending=torch.searchsorted(keep, self.pending),
            closed=torch.searchsorted(keep, self.closed),
            excluded=torch.searchsorted(keep, self.excluded),
        )


def labeled_rows(
    store: Store, project: Project, images: Sequence[ImageInfo], classes: Sequence[ClassInfo], until: int
) -> tuple[Tensor, Tensor]:
    """Rows [n] of the labeled `images` and their classes [n], by position in `classes`; events up to row `until`.

    In the order in which the labels were given, which a fit may learn from.
    """
    apart = near_audit(store, project)
    row = {image.id: i for i, image in enumerate(images) if image.id not in apart}
    position = {each.id: i for i, each in enumerate(classes)}
    given = store.current_labels(project.id, Role.POOL, until)
    labels = [
        (row[label.image_id], position[label.class_id])
        for label in sorted(given, key=lambda each: each.event_row)
        if label.image_id in row and label.class_id in position
    ]
    pairs = torch.tensor(labels, dtype=torch.int64).reshape(-1, 2)
    return pairs[:, 0].contiguous(), pairs[:, 1].contiguous()


def standing(
    store: Store, project: Project, images: Sequence[ImageInfo], classes: Sequence[ClassInfo], until: int
) -> Standing:
    """Of the pool's `images`, after the events up to row `until` and with the leases as they are."""
    labeled, labels = labeled_rows(store, project, images, classes, until)
    row = {image.id: i for i, image in enumerate(images)}
    known = {images[i].id for i in labeled.tolist()}
    apart = near_audit(store, project)
    held = store.pending_images(project.id, datetime.now(UTC))
    # labels of archived classes train nothing, and their images have their answer all the same
    answered = _answered(store, project, until)
    # read after the leases: an answer that comes in between is in one of the two at least
    out = list(dict.fromkeys([*held, *sorted(_answered(store, project, None) - answered)]))
    closed = answered - set(out) - apart - known

    def rows(ids: Iterable[int]) -> Tensor:
        return torch.tensor([row[each] for each in ids if each in row], dtype=torch.int64)

    pending = [each for each in out if each not in apart and each not in known]
    return Standing(labeled, labels, rows(pending), rows(sorted(closed)), rows(sorted(apart)), out)


def _answered(store: Store, project: Project, until: int | None) -> set[int]:
    labels = store.current_labels(project.id, Role.POOL, until)
    return {label.image_id for label in labels}.union(store.flagged_images(project.id, until))
