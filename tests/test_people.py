"""People: speed, agreement and decisions from the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from probal import people
from probal.classes import ClassEditor
from probal.errors import UserError
from probal.store.people import Given
from probal.types import EventKind, ImageState, Project, Role
from probal.workspace import Workspace
from tests.drawn import ready, workspace  # noqa: F401
from tests.store.store_world import event

Make = Callable[..., Project]


def say(workspace: Workspace, project: Project, who: str, answers: dict[int, int]) -> None:  # noqa: F811
    """Label the images at these positions with the classes at these."""
    classes = [each.id for each in workspace.store.classes(project.id)]
    pool = [each.id for each in workspace.store.images(project.id, state=ImageState.OK, role=Role.POOL)]
    events = [event(EventKind.LABEL, pool[i], who, class_id=classes[c]) for i, c in answers.items()]
    assert not workspace.store.record(project.id, events, require_lease=False).rejected


def test_the_report_of_two_people_and_a_decision(ready: Make, workspace: Workspace) -> None:  # noqa: F811
    project = ready()
    store = workspace.store
    assert people.report(store, project).people == ()
    say(workspace, project, "ann", {0: 0, 1: 1, 2: 2, 3: 0})
    say(workspace, project, "bob", {0: 0, 1: 1, 2: 1})
    found = people.report(store, project)
    assert [(each.name, each.images) for each in found.people] == [("ann", 4), ("bob", 3)]
    assert found.shared == 3
    (pair,) = found.pairs
    assert (pair.percent.same, pair.percent.n) == (2, 3)
    assert found.alpha is not None
    assert found.alpha < 1
    (dispute,) = found.disputes
    square, triangle = (each.id for each in store.classes(project.id)[1:])
    assert dispute.given == {"ann": triangle, "bob": square}
    assert found.rounds[0][1] == 3
    people.settle(store, project, dispute.image_id, triangle, "eve")
    assert people.report(store, project).disputes == ()
    assert store.labels_of(project.id, [dispute.image_id])[dispute.image_id].class_id == triangle
    assert json.loads(json.dumps(people.as_json(store, project, found)))["pairs"][0]["first"] == "ann"


def test_classes_merged_are_no_disagreement(ready: Make, workspace: Workspace) -> None:  # noqa: F811
    project = ready()
    say(workspace, project, "ann", {0: 0, 1: 1})
    say(workspace, project, "bob", {0: 1, 1: 1})
    assert len(people.report(workspace.store, project).disputes) == 1
    editor = ClassEditor(workspace.store, project)
    editor.merge("circle", "square")
    assert people.report(workspace.store, project).disputes == ()
    editor.undo()
    assert len(people.report(workspace.store, project).disputes) == 1


def test_an_image_that_came_back_is_compared_with_the_first_answer(ready: Make, workspace: Workspace) -> None:  # noqa: F811
    project = ready()
    say(workspace, project, "ann", {0: 0, 1: 1})
    say(workspace, project, "ann", {0: 0, 1: 2})
    (ann,) = people.report(workspace.store, project).people
    assert ann.images == 2
    assert ann.repeats is not None
    assert (ann.repeats.same, ann.repeats.n) == (1, 2)


def test_pauses_do_not_count_for_the_speed() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    seconds = [0, 10, 20, 20 + 3600, 30 + 3600]
    rows = [
        Given(i, EventKind.LABEL, "ann", i, Role.POOL, 1, start + timedelta(seconds=at), 2000)
        for i, at in enumerate(seconds)
    ]
    person = people._person("ann", rows)
    assert person.per_hour == pytest.approx(360)
    assert person.seconds == 2


@pytest.mark.parametrize("wrong", [(1.5, 2, 0), (0.5, 1, 0), (0.5, 11, 0), (0, 2, -0.1)])
def test_shares_that_are_none_are_refused(ready: Make, workspace: Workspace, wrong: tuple) -> None:  # noqa: F811
    project = ready()
    with pytest.raises(UserError, match=r"must be between|can be labeled"):
        people.set_overlap(workspace.store, project, *wrong)
    assert workspace.store.overlap(project.id).share == 0
