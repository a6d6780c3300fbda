"""The Export page: what is chosen is what is counted and written; the model through the worker."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from streamlit.testing.v1 import AppTest

from probal.types import Event, EventKind, ImageState, JobKind, JobState, Project
from probal.workspace import Workspace
from tests.pages.test_pages import label_images, page, press, texts

Make = Callable[..., Project]


def choose(app: AppTest, label: str, *values: object) -> AppTest:
    return next(each for each in app.multiselect if each.label == label).set_value(list(values)).run()


def test_what_is_chosen_is_counted_and_written(ready: Make, workspace: Workspace) -> None:
    project = ready(n=30, audit=5)
    label_images(workspace, project, 12)
    image = workspace.store.images(project.id, state=ImageState.OK)[20]
    square = workspace.store.classes(project.id)[1].id
    bob = Event(str(uuid.uuid4()), EventKind.CONFIRM, "bob", image_id=image.id, class_id=square)
    assert not workspace.store.record(project.id, [bob], require_lease=False).rejected
    app = page("export", "shapes")
    assert "13 labeled images" in texts(app)
    app = choose(app, "Only labels by", "bob")
    assert "**1 labeled images** of 13" in texts(app)
    press(app, "Export")
    assert not app.exception
    (record,) = workspace.store.exports(project.id)
    assert list(pd.read_csv(Path(record.path) / "labels.csv")["annotator"]) == ["bob"]


def test_filters_that_leave_nothing_say_so_and_write_nothing(ready: Make, workspace: Workspace) -> None:
    project = ready(n=30, audit=5)
    label_images(workspace, project, 12)
    app = page("export", "shapes")
    small = next(each for each in app.checkbox if "small set" in each.label)
    app = small.check().run()
    assert not app.exception
    assert "have no vectors yet" in app.warning[0].value
    assert next(button for button in app.button if button.label == "Export").disabled


def test_chosen_formats_are_explained(ready: Make, workspace: Workspace) -> None:
    project = ready(n=30)
    label_images(workspace, project, 3)
    app = page("export", "shapes")
    assert "opens in any spreadsheet" in texts(app)
    app.get("button_group")[0].set_value(["parquet", "labelstudio"]).run()
    assert "opens in any spreadsheet" not in texts(app)
    assert "Tasks with your labels" in texts(app)


def test_the_models_files_come_from_the_worker(ready: Make, workspace: Workspace, tmp_path: Path) -> None:
    project = ready(n=30)
    label_images(workspace, project, 3)
    app = press(page("export", "shapes"), "Write the model's files")
    assert not app.exception
    (job,) = [job for job in workspace.store.jobs(project.id) if job.kind is JobKind.MODEL]
    assert job.state is JobState.QUEUED
    assert next(button for button in app.button if "model" in button.label).disabled

    workspace.store.claim("test", project.id)
    workspace.store.fail(job.id, "the disk is full")
    assert "the disk is full" in page("export", "shapes").error[0].value
    folder = tmp_path / "shapes-model"
    folder.mkdir()
    (folder / "adapter.onnx").write_bytes(b"x")
    workspace.store.add_export(project.id, str(folder), ["adapter", "onnx"], 3)
    assert page("export", "shapes").get("download_button")
