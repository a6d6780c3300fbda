"""The Finish page as Streamlit runs it: it asks, plans, shows, keeps and takes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import streamlit as st

from probal import finish_plan, finished
from probal.types import ImageState, JobKind, JobState, Project, Role
from probal.workspace import Workspace
from tests.pages.test_pages import Make, label_images, page, press, texts

Prepared = Callable[..., Project]


@pytest.fixture
def looked_at(ready: Make, workspace: Workspace) -> Prepared:
    """A project of 60 images, 30 of them tested, with the model's word on each; `wrong` of the tested are."""

    def make(wrong: int = 0) -> Project:
        project = ready(n=60, audit=30)
        images = workspace.store.images(project.id, state=ImageState.OK)
        tested = np.array([image.role is Role.AUDIT for image in images])
        label_images(workspace, project, 60)
        found = finish_plan.Evidence(
            image_ids=np.array([image.id for image in images]),
            class_ids=np.full(len(images), workspace.store.classes(project.id)[0].id),
            confidence=np.linspace(0.99, 0.6, len(images)),
            rest=~tested,
            tested=tested,
            wrong=np.cumsum(tested) * tested > 30 - wrong,
            left=np.zeros(len(images), bool),
            labeled=0,
            finite=True,
            neighbours=10,
            neighbour_share=0.3,
            event_watermark=workspace.store.watermark(project.id),
            adapter_fingerprint="adapter",
        )
        found.save(finish_plan.evidence_path(workspace, project))
        return project

    return make


def test_without_tested_images_it_says_what_to_do(ready: Make, workspace: Workspace) -> None:
    project = ready()
    app = page("finish", "shapes")
    assert not app.exception
    assert "Not yet" in texts(app)
    assert [button.label for button in app.button] == ["Label"]
    assert workspace.store.last_job(project.id, JobKind.FINISH) is None


def test_the_worker_is_asked_once(ready: Make, workspace: Workspace) -> None:
    project = ready(n=30, audit=5)
    label_images(workspace, project, 30)
    for _ in range(2):
        assert not page("finish", "shapes").exception
    jobs = [job for job in workspace.store.jobs(project.id) if job.kind is JobKind.FINISH]
    assert [job.state for job in jobs] == [JobState.QUEUED]
    workspace.store.claim("test", project.id)
    workspace.store.fail(jobs[0].id, "the disk is full")
    app = page("finish", "shapes")
    assert app.error[0].value == "the disk is full"
    press(app, "Look again")
    job = workspace.store.last_job(project.id, JobKind.FINISH)
    assert job is not None
    assert job.state is JobState.QUEUED


def test_the_page_tells_that_it_is_working(
    looked_at: Prepared, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit draws the spinner after half a second only; what counts is that it stands around the plan."""
    looked_at()
    st.cache_resource.clear()
    order: list[str] = []
    plan = finish_plan.plan

    @contextmanager
    def spinner(text: str) -> Iterator[None]:
        order.append(text)
        yield
        order.append("done")

    def planned(*args: Any) -> finish_plan.FinishPlan:
        order.append("plan")
        return plan(*args)

    monkeypatch.setattr(st, "spinner", spinner)
    monkeypatch.setattr(finish_plan, "plan", planned)
    assert not page("finish", "shapes").exception
    assert order[0].startswith("Working out")
    assert order[1] == "plan"
    assert order[-1] == "done"


def test_a_plan_is_shown_kept_and_taken_back(looked_at: Prepared, workspace: Workspace) -> None:
    project = looked_at()
    app = page("finish", "shapes")
    assert not app.exception
    app = app.select_slider[0].set_value(0.8).run()
    assert not app.exception
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers["The model may label"].endswith(" of 30")
    n = int(numbers["The model may label"].split()[0])
    assert n > 0
    assert int(numbers["Left to people"]) == 30 - n
    assert int(numbers["Wrong at most"]) <= 0.2 * n
    app = press(app, f"Keep these {n} labels")
    assert not app.exception
    record = finished.record(workspace, project)
    assert record is not None
    assert (record.precision, record.labels) == (0.8, n)
    assert f"labeled {n} images" in app.success[0].value
    app = press(app, "Take the model's labels back")
    assert not app.exception
    assert finished.record(workspace, project) is None


def test_errors_found_in_the_sample_are_weighed(looked_at: Prepared) -> None:
    looked_at()
    app = page("finish", "shapes")
    app = app.select_slider[0].set_value(0.8).run()
    shown = app.number_input[0].max
    assert shown is not None
    app = app.number_input[0].set_value(0).run()
    assert "goes with the promise" in texts(app)
    app = app.number_input[0].set_value(int(shown)).run()
    assert "do not keep these labels" in app.error[0].value


def test_what_cannot_be_promised_is_told_with_what_it_takes(looked_at: Prepared) -> None:
    looked_at(wrong=3)
    app = page("finish", "shapes")
    app = app.select_slider[0].set_value(0.995).run()
    assert not app.exception
    assert "none of the 30 images" in app.warning[0].value
    assert "at least 598 labels" in texts(app)
    assert "At 85% it may label 30 of them" in texts(app)
    assert not any(button.label.startswith("Keep") for button in app.button)


def test_labels_that_came_since_ask_for_another_look(
    looked_at: Prepared, ready: Make, workspace: Workspace
) -> None:
    project = looked_at()
    label_images(workspace, project, 1)
    app = page("finish", "shapes")
    assert "Labels came since" in app.info[0].value
    press(app, "Look again")
    job = workspace.store.last_job(project.id, JobKind.FINISH)
    assert job is not None
    assert job.state is JobState.QUEUED
