"""The People page as Streamlit runs it."""

from __future__ import annotations

from probal.workspace import Workspace
from tests.pages.test_pages import Make, label_images, page, press, texts
from tests.test_people import say


def test_nobody_and_somebody_alone(ready: Make, workspace: Workspace) -> None:
    project = ready()
    assert "Nobody has labeled yet" in texts(page("people", "shapes"))
    label_images(workspace, project, 3)
    app = page("people", "shapes")
    assert not app.exception
    assert "You are alone here so far" in texts(app)
    assert list(app.dataframe[0].value["Person"]) == ["ada"]


def test_the_shares_are_kept(ready: Make, workspace: Workspace) -> None:
    project = ready()
    app = page("people", "shapes")
    for box, value in zip(app.number_input, (20, 3, 5), strict=True):
        box.set_value(value)
    press(app, "Save")
    overlap = workspace.store.overlap(project.id)
    assert (overlap.share, overlap.annotators, overlap.repeats) == (0.2, 3, 0.05)


def test_two_people_who_differ_and_a_decision(ready: Make, workspace: Workspace) -> None:
    project = ready()
    say(workspace, project, "ann", {0: 0, 1: 1, 2: 2})
    say(workspace, project, "bob", {0: 0, 1: 1, 2: 1})
    app = page("people", "shapes")
    assert not app.exception
    assert "To decide (1)" in texts(app)
    assert "ann and bob" in list(app.dataframe[1].value["People"])
    press(app, "triangle")
    assert not app.exception
    assert "To decide (0)" in texts(app)


def test_without_a_project_the_page_says_what_to_do(workspace: Workspace) -> None:
    assert "No project yet" in texts(page("people"))
