"""Labels and projects brought in by the pages: what fits is told first, and everything can be taken back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from probal.types import JobKind
from probal.workspace import Workspace
from tests.drawn import draw_shapes
from tests.pages.test_pages import Make, label_images, page, press, texts


def tell(app: AppTest, label: str, text: str) -> AppTest:
    return next(each for each in app.text_input if each.label == label).set_value(text).run()


def plain(text: str) -> str:
    """As it reads, without Markdown's escapes."""
    return text.replace("\\", "")


def labels(workspace: Workspace) -> dict[str, str]:
    project = workspace.store.project("shapes")
    paths = {image.id: image.path for image in workspace.store.images(project.id)}
    return {paths[one.image_id]: one.annotator for one in workspace.store.current_labels(project.id)}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "labels.csv"
    with file.open("w", newline="") as stream:
        rows = [("000.png", "circle"), ("001.png", "square"), ("900.png", "square"), ("002.png", "hexagon")]
        csv.writer(stream).writerows([("path", "label"), *rows])
    return file


def test_labels_are_shown_stored_and_taken_back(ready: Make, workspace: Workspace, table: Path) -> None:
    project = ready()
    app = tell(page("pool", "shapes"), "Or a file or folder on the machine ProbAL runs on", str(table))
    assert not app.exception
    assert "**4 labels**" in texts(app)
    assert "of **2 images**" in texts(app)
    assert "unknown class: hexagon" in plain(app.warning[0].value)
    assert labels(workspace) == {}
    app = press(tell(app, "Whose labels", "Grace"), "Store 2 labels")
    assert not app.exception
    assert labels(workspace) == {"000.png": "Grace", "001.png": "Grace"}
    assert "Stored 2 labels" in app.success[0].value
    assert workspace.store.last_job(project.id, JobKind.REFIT) is not None
    assert "All that fits is stored already." in texts(app)
    for _ in range(2):
        app = press(app, "Take 2 labels back")
        assert labels(workspace) == {}
        app = press(app, "Store 2 labels")
        assert len(labels(workspace)) == 2


def test_a_file_that_is_none_is_told(ready: Make, workspace: Workspace) -> None:
    ready()
    app = tell(page("pool", "shapes"), "Or a file or folder on the machine ProbAL runs on", "/no/such")
    assert "There is no /no/such" in plain(app.error[0].value)


def test_an_upload_is_told_by_its_name(ready: Make, workspace: Workspace) -> None:
    ready()
    app = page("pool", "shapes")
    app.get("file_uploader")[0].upload("mine.csv", b"file,klass\n", "text/csv").run()
    assert plain(app.error[0].value).startswith("The file mine.csv has the columns file, klass")


def test_a_backup_leaves_on_one_page_and_comes_back_on_another(
    ready: Make, workspace: Workspace, tmp_path: Path
) -> None:
    project = ready()
    label_images(workspace, project, 7)
    app = press(page("export", "shapes"), "Back up")
    assert not app.exception
    assert "7 labels, no vectors" in app.success[0].value
    (file,) = workspace.exports_dir.glob("shapes-*.probal.zip")
    app = press(page("pool", "shapes"), "New project")
    app = tell(app, "Or its path on the machine ProbAL runs on", str(file))
    app = press(app, "Restore")
    assert "a project named 'shapes' already" in plain(app.error[0].value)
    draw_shapes(tmp_path / "elsewhere", 20)
    app = tell(app, "Folder of the images here", str(tmp_path / "elsewhere"))
    app = press(tell(app, "Name of the project here", "again"), "Restore")
    assert not app.exception
    assert app.title[0].value == "again"
    assert "10 of its images were not found" in app.success[0].value
    again = workspace.store.project("again")
    assert len(workspace.store.current_labels(again.id)) == 7


def test_a_backup_can_be_made_before_the_first_label(ready: Make, workspace: Workspace) -> None:
    ready()
    app = press(page("export", "shapes"), "Back up")
    assert "0 labels" in app.success[0].value
