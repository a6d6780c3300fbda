"""Each page as Streamlit runs it: empty workspace, project ready, project with labels; never an exception."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from probal import previews
from probal.labeling import status
from probal.types import Event, EventKind, ImageState, JobKind, JobState, Metric, Project, Role
from probal.workspace import Workspace
from tests import patience
from tests.drawn import SHAPES, draw_shapes

PAGES = Path(__file__).resolve().parents[2] / "pages"
Make = Callable[..., Project]


def page(name: str, project: str | None = None) -> AppTest:
    app = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=patience.SECONDS)
    if project is not None:
        app.query_params["project"] = project
    return app.run()


def texts(app: AppTest) -> str:
    """What a person reads on the page."""
    return "\n".join(
        item.value for block in (app.title, app.subheader, app.markdown, app.caption) for item in block
    )


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def label_images(workspace: Workspace, project: Project, n: int) -> None:
    store = workspace.store
    class_id = store.classes(project.id)[0].id
    images = store.images(project.id, state=ImageState.OK)[:n]
    events = [
        Event(str(uuid.uuid4()), EventKind.LABEL, "ada", image_id=image.id, class_id=class_id)
        for image in images
    ]
    assert not store.record(project.id, events, require_lease=False).rejected


@pytest.mark.parametrize("name", ["navigation", "pool", "label", "progress", "export"])
def test_an_empty_workspace_says_what_to_do(workspace: Workspace, name: str) -> None:
    app = page(name)
    assert not app.exception
    if name not in ("navigation", "pool"):
        assert "No project yet" in texts(app)
        assert [button.label for button in app.button] == ["Create a project"]


@pytest.mark.parametrize("name", ["navigation", "pool", "label", "progress", "export"])
def test_a_project_without_labels(ready: Make, name: str) -> None:
    ready()
    assert not page(name, "shapes").exception


@pytest.mark.parametrize("name", ["pool", "label", "progress", "export"])
def test_a_project_that_the_worker_has_not_touched(workspace: Workspace, tmp_path: Path, name: str) -> None:
    draw_shapes(tmp_path / "new", 12)
    workspace.create_project("new", images=tmp_path / "new", classes=SHAPES)
    assert not page(name, "new").exception


def test_the_address_chooses_the_project_and_an_unknown_one_falls_back(ready: Make) -> None:
    ready("first")
    ready("second")
    for asked, shown in [("first", "first"), ("second", "second"), ("gone", "second"), (None, "second")]:
        app = page("pool", asked)
        assert app.title[0].value == shown
        assert app.query_params["project"] == shown


def test_the_sidebar_lists_the_projects(ready: Make) -> None:
    ready("first")
    ready("second")
    app = page("navigation", "first")
    chooser = app.sidebar.selectbox[0]
    assert (chooser.value, list(chooser.options)) == ("first", ["first", "second"])
    chooser.select("second").run()
    assert not app.exception
    assert app.query_params["project"] == "second"


def fill(app: AppTest, folder: Path, classes: str, name: str = "mine") -> AppTest:
    app.text_input[0].set_value(str(folder)).run()
    app.text_area[0].set_value(classes).run()
    return app.text_input[1].set_value(name).run()


def test_creating_a_project_through_the_form(workspace: Workspace, tmp_path: Path) -> None:
    draw_shapes(tmp_path / "my photos", 12)
    app = page("pool")
    app.text_input[0].set_value(str(tmp_path / "my photos")).run()
    assert app.text_input[1].value == "my-photos"
    app.text_area[0].set_value("circle, square\ntriangle").run()
    press(app, "Create project")
    assert not app.exception
    (project,) = workspace.store.projects()
    assert project.name == "my-photos"
    assert [info.name for info in workspace.store.classes(project.id)] == ["circle", "square", "triangle"]
    (job,) = workspace.store.jobs(project.id)
    assert (job.kind, job.state) == (JobKind.PREPARE, JobState.QUEUED)
    assert app.get("progress")
    assert app.title[0].value == "my-photos"
    assert app.query_params["project"] == "my-photos"


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("circle", "at least two"),
        ("circle, circle", "given twice"),
        ("circle, <b>square</b>", "HTML"),
        ("circle, =1+1", "formula"),
    ],
)
def test_bad_class_names_are_told_while_typing_and_nothing_is_written(
    workspace: Workspace, tmp_path: Path, classes: str, expected: str
) -> None:
    draw_shapes(tmp_path / "pool", 6)
    app = fill(page("pool"), tmp_path / "pool", classes)
    assert expected in " ".join(caption.value for caption in app.caption)
    press(app, "Create project")
    assert not app.exception
    assert expected in app.error[0].value
    assert workspace.store.projects() == []
    assert app.text_area[0].value == classes


@pytest.mark.parametrize("what", ["missing", "file", "empty", "unreadable", "none"])
def test_bad_folders_end_in_one_line(workspace: Workspace, tmp_path: Path, what: str) -> None:
    folder = tmp_path / what
    if what == "file":
        folder.write_text("text")
    elif what in ("empty", "unreadable"):
        folder.mkdir()
    if what == "unreadable":
        (folder / "one.png").write_bytes(b"not an image")
    app = fill(page("pool"), folder, "circle, square")
    if what == "none":
        app.text_input[0].set_value("").run()
    press(app, "Create project")
    assert not app.exception
    assert len(app.error) == 1
    assert "\n" not in app.error[0].value
    assert workspace.store.projects() == []


def test_the_pool_page_counts_and_lists_what_it_found(ready: Make) -> None:
    ready(n=30, audit=5)
    app = page("pool", "shapes")
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers == {"Images": "30", "Labeled": "0", "Set aside": "5", "Unreadable": "1", "Duplicates": "1"}
    assert [expander.label for expander in app.expander] == [
        "Labels you have already",
        "Files that cannot be read (1)",
        "Duplicates (1)",
    ]
    tables = [table.value for table in app.dataframe]
    assert [list(table["File"]) for table in tables] == [["broken.png"], ["copy.png"]]
    assert all(table["Why"][0] for table in tables)


def test_scanning_again_asks_the_worker(ready: Make, workspace: Workspace) -> None:
    project = ready()
    press(page("pool", "shapes"), "Scan again")
    assert workspace.store.jobs(project.id)[0].state is JobState.QUEUED


def test_a_failed_job_is_told_in_its_own_words(ready: Make, workspace: Workspace) -> None:
    project = ready()
    workspace.store.enqueue(project.id, JobKind.PREPARE)
    job = workspace.store.claim("test", project.id)
    assert job is not None
    workspace.store.fail(job.id, "the folder is gone")
    assert page("pool", "shapes").error[0].value == "the folder is gone"


def test_progress_shows_curve_balance_and_rounds(ready: Make, workspace: Workspace) -> None:
    project = ready(n=30)
    label_images(workspace, project, 7)
    workspace.store.add_metrics(
        project.id, [Metric("accuracy", 0.8, 0.6, 0.9, 12, 0, 0, True, {"source": "audit"})]
    )
    app = page("progress", "shapes")
    assert not app.exception
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers["Labels"] == "7"
    assert numbers["Accuracy, preliminary"].startswith("80.0%")
    assert len(app.get("plotly_chart")) == 2
    assert list(app.dataframe[0].value["Round"]) == [1]


def test_progress_reports_skipped_audit_images(ready: Make, workspace: Workspace) -> None:
    project = ready(n=30, audit=5)
    point = Metric("accuracy", 0.8, 0.6, 0.9, 3, 0, 0, True, {"source": "audit"})
    workspace.store.add_metrics(project.id, [point])
    assert "skipped" not in texts(page("progress", "shapes"))
    audit = workspace.store.images(project.id, role=Role.AUDIT)
    skips = [Event(f"skip{each.id}", EventKind.SKIP, "ada", image_id=each.id) for each in audit[:2]]
    assert not workspace.store.record(project.id, skips, require_lease=False).rejected
    assert "2 of the randomly drawn images were skipped" in texts(page("progress", "shapes"))


def test_progress_without_a_measurement_says_when_it_comes(ready: Make) -> None:
    ready()
    app = page("progress", "shapes")
    assert "No accuracy yet" in texts(app)
    assert not app.get("plotly_chart")


def test_export_writes_what_it_previews(ready: Make, workspace: Workspace) -> None:
    project = ready(n=30, audit=5)
    label_images(workspace, project, 12)
    audit = sum(
        image.role is Role.AUDIT for image in workspace.store.images(project.id, state=ImageState.OK)[:12]
    )
    app = page("export", "shapes")
    assert "12 labeled images" in texts(app)
    assert f"{audit} of them measure the accuracy" in texts(app)
    press(app, "Export")
    assert not app.exception
    (record,) = workspace.store.exports(project.id)
    assert record.n == 12
    assert len((Path(record.path) / "labels.csv").read_text().splitlines()) == 13
    assert record.path in app.success[0].value
    assert app.get("download_button")


def test_the_label_page_mounts_the_component_with_what_it_needs(ready: Make, workspace: Workspace) -> None:
    ready()
    app = page("label", "shapes")
    (component,) = app.get("bidi_component")
    data = component.proto.json
    assert workspace.token in data
    assert '"circle"' in data
    assert status(workspace.store, workspace.store.project("shapes")).labels == 0


def test_guesses_are_shown_before_a_project_is_made(workspace: Workspace, tmp_path: Path) -> None:
    draw_shapes(tmp_path / "pool" / "round things", 3)
    draw_shapes(tmp_path / "pool" / "square things", 5)
    app = page("pool")
    app.text_input[0].set_value(str(tmp_path / "pool")).run()
    press(app, "Take the 2 subfolders as class names")
    assert app.text_area[0].value == "round things\nsquare things"
    assert "looks at a few of your images" in app.info[0].value
    asked = previews.next_question(workspace)
    assert asked is not None
    name, question = asked
    assert question.classes == ("round things", "square things")
    assert question.encoder == "embedded"
    image = {"path": "round things/000.png", "guesses": [["square things", 0.52], ["round things", 0.48]]}
    previews.give(workspace, name, {"images": [image], "sure": 0.52, "chance": 0.5})
    app.run()
    assert not app.exception
    assert "hardly tells these classes apart" in texts(app)
    assert workspace.store.projects() == []
