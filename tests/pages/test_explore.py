"""Explore as Streamlit runs it: nothing there yet, images, bulk labels and back, groups, doubts, new classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from probal.explore import files, load_catalog
from probal.explore.actions import BY_HAND, bulk_label
from probal.types import EventKind, JobKind, Project, Role
from probal.workspace import Workspace
from tests.drawn import SHAPES, draw_shapes
from tests.explore.conftest import explored
from tests.pages.test_pages import page, press, texts

__all__ = ["explored"]
Make = Callable[..., Project]


def choose(app: AppTest, label: str, value: object) -> AppTest:
    """Set the widget of that label."""
    widgets = [
        *app.selectbox,
        *app.segmented_control,
        *app.button_group,
        *app.toggle,
        *app.checkbox,
        *app.text_input,
    ]
    return next(each for each in widgets if each.label == label).set_value(value).run()


def opened(view: str | None = None) -> AppTest:
    app = page("explore", "shapes")
    app = app if view is None else choose(app, "View", view)
    assert not app.exception
    return app


def place(workspace: Workspace, project: Project) -> None:
    """A map and groups as the worker would leave them: the first three pool images are near-duplicates."""
    ids = load_catalog(workspace, project).ids
    here = files.folder(workspace, project)
    xy = np.random.default_rng(0).uniform(-1, 1, (len(ids), 2)).astype(np.float32)
    files.write_arrays(here / files.MAP, image_id=ids, xy=xy, fingerprint=np.array("x"))
    files.write_arrays(here / files.GROUPS, image_id=ids[:3], group=np.zeros(3, np.int64))


def test_an_empty_workspace_says_what_to_do(workspace: Workspace) -> None:
    app = page("explore")
    assert not app.exception
    assert "No project yet" in texts(app)


def test_a_project_that_is_still_being_read_says_so(workspace: Workspace, tmp_path) -> None:
    draw_shapes(tmp_path / "new", 12)
    workspace.create_project("new", images=tmp_path / "new", classes=SHAPES)
    app = page("explore", "new")
    assert not app.exception
    assert "Nothing to explore yet" in texts(app)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (None, "31 images"),
        ("Near-duplicates", "Not looked for yet"),
        ("Doubtful labels", "Too few labels"),
        ("New classes", "least sure"),
    ],
)
def test_each_view_of_a_fresh_project(explored: Project, view: str | None, words: str) -> None:
    assert words in texts(opened(view))


def test_drawing_the_map_is_the_workers(workspace: Workspace, explored: Project) -> None:
    press(opened(), "Draw the map")
    job = workspace.store.last_job(explored.id, JobKind.MAP)
    assert job is not None


def test_all_that_pass_a_filter_are_labeled_and_taken_back(workspace: Workspace, explored: Project) -> None:
    place(workspace, explored)
    store = workspace.store
    first = store.classes(explored.id)[0]
    app = opened()
    app = (
        next(each for each in app.multiselect if each.label == "Predicted class").set_value([first.id]).run()
    )
    catalog = load_catalog(workspace, explored)
    wanted = catalog.ids[catalog.predicted == first.id].tolist()
    assert f"{len(wanted)} images that pass the filters" in texts(app)
    app = choose(choose(app, "Use", "all"), "Class", first.id)
    app = press(app, f"Label {len(wanted)}")
    labels = store.current_labels(explored.id)
    assert {each.image_id: each.class_id for each in labels} == dict.fromkeys(wanted, first.id)
    assert all(image.role is Role.POOL for image in store.images(explored.id) if image.id in set(wanted))
    press(opened_again(app), "Undo")
    assert store.current_labels(explored.id) == []


def opened_again(app: AppTest) -> AppTest:
    """After the labels the filter finds nothing; take it away."""
    return next(each for each in app.multiselect if each.label == "Predicted class").set_value([]).run()


def test_part_of_the_map_is_taken_around_images_without_a_lasso(
    workspace: Workspace, explored: Project
) -> None:
    place(workspace, explored)
    catalog = load_catalog(workspace, explored)
    app = opened()
    app.session_state["explore-centres"] = (explored.id, [int(catalog.ids[4])])
    app.run()
    assert "31 images in that part of the map" in texts(app)
    app.number_input(key="explore-how-many").set_value(3).run()
    assert "3 images in that part of the map" in texts(app)
    choose(app, "Which", "Labeled")
    assert not app.exception
    assert "No image passes" in app.info[0].value
    choose(app, "Which", None)
    press(app, "Whole map")
    assert "31 images" in texts(app)
    assert "in that part" not in texts(app)


def test_images_go_into_the_next_batch(workspace: Workspace, explored: Project) -> None:
    app = choose(opened(), "Use", "page")
    app = press(app, "Add to the next batch")
    waiting = workspace.store.get_setting(explored.id, BY_HAND)["image_ids"]
    assert waiting == load_catalog(workspace, explored).ids.tolist()
    assert "31 images wait" in app.success[0].value


def test_a_group_is_labeled_once_and_each_member_has_its_event(
    workspace: Workspace, explored: Project
) -> None:
    place(workspace, explored)
    app = opened("Near-duplicates")
    assert "3 images in 1 groups" in texts(app)
    press(app, "Label all 3")
    events = workspace.store.events(explored.id)
    assert {each.event.kind for each in events} == {EventKind.LABEL}
    assert [each.event.image_id for each in events] == load_catalog(workspace, explored).ids[:3].tolist()


def test_the_label_of_a_group_spreads_to_the_rest_of_it(workspace: Workspace, explored: Project) -> None:
    place(workspace, explored)
    ids = load_catalog(workspace, explored).ids
    last = workspace.store.classes(explored.id)[2].id
    bulk_label(workspace.store, explored, [int(ids[1])], last, "ada")
    app = press(opened("Near-duplicates"), "Give 2 unlabeled images the label of their group")
    assert not app.exception
    assert load_catalog(workspace, explored).label[:4].tolist() == [last] * 3 + [-1]


def test_a_doubtful_label_is_kept_or_changed_with_one_click(workspace: Workspace, explored: Project) -> None:
    store = workspace.store
    first, second, _ = (each.id for each in store.classes(explored.id))
    ids = load_catalog(workspace, explored).ids[:12].tolist()
    bulk_label(store, explored, ids, first, "ada")
    assert "Not checked yet" in texts(opened("Doubtful labels"))
    suspects = [{"image_id": each, "class_id": first, "suggested": second, "p": 0.03} for each in ids[:2]]
    path = files.folder(workspace, explored) / files.CHECK
    files.write_json(path, {"watermark": store.watermark(explored.id), "suspects": suspects})
    app = opened("Doubtful labels")
    assert "2 labels" in texts(app)
    app = press(app, "Change to square")
    assert store.labels_of(explored.id, ids[:1])[ids[0]].class_id == second
    app = press(app, "Keep circle")
    assert "No doubtful label" in texts(app)
    assert store.labels_of(explored.id, ids[1:2])[ids[1]].class_id == first
