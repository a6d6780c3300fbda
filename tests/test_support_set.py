"""From the log to the rows that are exported, and the curated part of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import numpy as np
import pytest

from probal import support_set
from probal.errors import UserError
from probal.export.filters import Filter
from probal.pool.features import FeatureStore
from probal.types import Event, EventKind, ImageInfo, ImageState, Project, Role
from probal.workspace import Workspace
from tests.drawn import ready, workspace

__all__ = ["ready", "workspace"]


def answer(
    workspace: Workspace, project: Project, image: ImageInfo, class_id: int, who: str, kind: EventKind
) -> None:
    event = Event(str(uuid.uuid4()), kind, who, image_id=image.id, class_id=class_id)
    assert not workspace.store.record(project.id, [event], require_lease=False).rejected


def images_of(workspace: Workspace, project: Project, role: Role) -> list[ImageInfo]:
    return workspace.store.images(project.id, state=ImageState.OK, role=role)


def test_a_row_says_how_its_label_came_about(ready: Callable[..., Project], workspace: Workspace) -> None:
    project = ready()
    circle, square, _ = workspace.store.classes(project.id)
    first, second, third = images_of(workspace, project, Role.POOL)[:3]
    answer(workspace, project, first, square.id, "ann", EventKind.LABEL)
    answer(workspace, project, first, circle.id, "ann", EventKind.LABEL)  # thought better of it
    answer(workspace, project, second, circle.id, "ann", EventKind.LABEL)
    answer(workspace, project, second, square.id, "bob", EventKind.LABEL)
    answer(workspace, project, second, square.id, "cem", EventKind.ADJUDICATE)
    answer(workspace, project, third, circle.id, "bob", EventKind.CONFIRM)
    rows = {row.path: row for row in support_set.label_rows(workspace.store, project)}
    assert [
        (row.label, row.given, row.annotators) for row in (rows[i.path] for i in (first, second, third))
    ] == [
        ("circle", "label", 1),
        ("square", "adjudicate", 3),
        ("circle", "confirm", 1),
    ]
    assert [rows[each.path].agreement for each in (first, second, third)] == pytest.approx([1, 2 / 3, 1])
    assert (rows[first.path].predicted, rows[first.path].probability) == ("circle", 0.5)
    assert rows[first.path].round == 0


def test_filters_that_leave_nothing_say_so(ready: Callable[..., Project], workspace: Workspace) -> None:
    project = ready()
    assert support_set.chosen_rows(workspace, project, Filter(annotators=("bob",))) == []
    image = images_of(workspace, project, Role.POOL)[0]
    answer(workspace, project, image, workspace.store.classes(project.id)[0].id, "ann", EventKind.LABEL)
    with pytest.raises(UserError, match="none of the 1 labels passes the filters"):
        support_set.chosen_rows(workspace, project, Filter(annotators=("bob",)))


@pytest.mark.parametrize("centred", [True, False])
def test_the_curated_set_covers_each_class_and_leaves_the_audit_out(
    centred: bool, ready: Callable[..., Project], workspace: Workspace
) -> None:
    project = ready(n=30, audit=5)
    classes = workspace.store.classes(project.id)
    everything = workspace.store.images(project.id, state=ImageState.OK)
    for i, image in enumerate(everything):
        answer(workspace, project, image, classes[i % 2].id, "ann", EventKind.LABEL)
    with pytest.raises(UserError, match="have no vectors yet; run: probal embed shapes"):
        support_set.chosen_rows(workspace, project, Filter(), per_class=4)

    x = np.random.default_rng(0).normal(size=(len(everything), 6)).astype(np.float32)
    FeatureStore(workspace.features_dir, "ab", 6).append([image.content_hash for image in everything], x)
    workspace.store.set_setting(project.id, "encoder", {"fingerprint": "ab", "width": 6, "centred": centred})
    if centred:
        folder = workspace.snapshots_dir / str(project.id)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "centre.npy", x.mean(0))
    rows = support_set.chosen_rows(workspace, project, Filter(), per_class=4)
    assert sorted(row.label for row in rows) == ["circle"] * 4 + ["square"] * 4
    assert {row.role for row in rows} == {"pool"}
    assert rows == support_set.chosen_rows(workspace, project, Filter(), per_class=4)
    assert support_set.short_classes(rows, 5) == {"circle": 4, "square": 4}
    with pytest.raises(UserError, match="give 1 or more"):
        support_set.chosen_rows(workspace, project, Filter(), per_class=0)
