"""Labels that the latest check doubts and nobody has looked at since."""

from __future__ import annotations

from dataclasses import dataclass

from probal.explore import files
from probal.explore.actions import kept_labels
from probal.types import Project
from probal.workspace import Workspace


@dataclass(frozen=True)
class Doubt:
    """A label that a model fitted without it holds unlikely."""

    image_id: int
    class_id: int
    """As labeled."""
    suggested: int
    """What the model holds likeliest."""
    p: float
    """Probability of the class as labeled."""


@dataclass(frozen=True)
class Check:
    """The latest check of the labels."""

    watermark: int
    """Last event row that it saw."""
    doubts: tuple[Doubt, ...]
    """Most doubtful first; without those that were changed or kept since."""


def latest_check(workspace: Workspace, project: Project) -> Check | None:
    """What is left of the latest check to look at; None before the first."""
    store = workspace.store
    found = files.read_json(files.folder(workspace, project) / files.CHECK)
    if found is None:
        return None
    doubts = [Doubt(**each) for each in found["suspects"]]
    labels = store.labels_of(project.id, [each.image_id for each in doubts])
    kept = kept_labels(store, project)
    left = [
        each
        for each in doubts
        if each.image_id in labels
        and labels[each.image_id].class_id == each.class_id
        and kept.get(each.image_id) != each.class_id
    ]
    return Check(found["watermark"], tuple(left))
