"""The Classes page as Streamlit runs it."""

from __future__ import annotations

import pytest

from probal import previews
from probal.classes import ClassEditor
from probal.previews import PromptQuestion
from probal.types import JobKind, Role
from probal.workspace import Workspace
from tests.pages.test_pages import Make, label_images, page, press, texts


def names(workspace: Workspace) -> list[str]:
    return [each.name for each in workspace.store.classes(workspace.store.project("shapes").id)]


def test_a_class_is_added_and_the_change_taken_back(ready: Make, workspace: Workspace) -> None:
    ready()
    app = page("classes", "shapes")
    app.text_input[0].set_value("star")
    press(app, "Add")
    assert not app.exception
    assert names(workspace) == ["circle", "square", "triangle", "star"]
    assert "star is a class now" in app.success[0].value
    press(app, "Take the last change back")
    assert names(workspace) == ["circle", "square", "triangle"]


def test_a_mistake_is_told_in_a_line_and_changes_nothing(ready: Make, workspace: Workspace) -> None:
    ready()
    app = page("classes", "shapes")
    app.text_input[0].set_value("Square")
    press(app, "Add")
    assert "there already" in app.error[0].value
    assert names(workspace) == ["circle", "square", "triangle"]


def test_name_key_order_merge_and_restore(ready: Make, workspace: Workspace) -> None:
    project = ready()
    label_images(workspace, project, 6)
    app = page("classes", "shapes")
    next(each for each in app.text_input if each.label == "Name").set_value("disc")
    next(each for each in app.selectbox if each.label == "Key").set_value("g")
    app.color_picker[0].set_value("#3366cc")
    press(app, "Save")
    disc = ClassEditor(workspace.store, project).find("disc")
    assert (disc.key, disc.color) == ("g", "#3366cc")
    press(app, "Down")
    assert names(workspace) == ["square", "disc", "triangle"]
    next(each for each in app.selectbox if each.label == "Class").set_value(disc.id).run()
    next(each for each in app.selectbox if each.label == "Merge into").set_value("triangle").run()
    press(app, "Merge")
    assert not app.exception
    assert names(workspace) == ["square", "triangle"]
    triangle = ClassEditor(workspace.store, project).find("triangle")
    assert {label.class_id for label in workspace.store.current_labels(project.id)} == {triangle.id}
    assert "merged into triangle" in list(app.dataframe[0].value["State"])
    press(app, "Restore")
    assert "disc" in names(workspace)


def test_a_split_by_hand_shows_no_audit_image(ready: Make, workspace: Workspace) -> None:
    project = ready()
    label_images(workspace, project, 8)
    app = page("classes", "shapes")
    boxes = [box for box in app.checkbox if box.label.startswith("Image ")]
    pool = {each.id for each in workspace.store.images(project.id, role=Role.POOL)}
    assert {int(str(box.key).rsplit("-", 1)[1]) for box in boxes} <= pool
    boxes[0].check().run()
    next(each for each in app.selectbox if each.label == "They are").set_value("square").run()
    press(app, "Move them")
    counts = workspace.store.label_counts(project.id)
    square = ClassEditor(workspace.store, project).find("square").id
    assert sum(by_class.get(square, 0) for by_class in counts.values()) == 1
    press(app, "Ask for all 7 images again")
    assert workspace.store.labels_spent(project.id) == 1


def test_a_prompt_shows_what_it_would_do_before_it_is_kept(ready: Make, workspace: Workspace) -> None:
    project = ready()
    app = page("classes", "shapes")
    prompt = next(each for each in app.text_input if each.label == "What the model reads")
    prompt.set_value("a round {}").run()
    assert "worker tries the prompt" in app.info[0].value
    asked = previews.next_question(workspace)
    assert asked is not None
    name, question = asked
    assert isinstance(question, PromptQuestion)
    assert dict(question.prompts)[workspace.store.classes(project.id)[0].id] == "a round {}"
    images = [each.content_hash for each in workspace.store.images(project.id)][:5]
    effect = {"before": 3, "after": 5, "top_before": images, "top_after": images[::-1]}
    classes = [{"class_id": class_id, **effect} for class_id, _ in question.prompts]
    previews.give(workspace, name, {"n": 25, "changed": 4, "classes": classes})
    app.run()
    assert "**4 of 25**" in texts(app)
    press(app, "Keep this prompt")
    assert workspace.store.classes(project.id)[0].prompt == "a round {}"


def test_the_prompt_of_all_classes_is_tried_before_it_is_kept(ready: Make, workspace: Workspace) -> None:
    project = ready()
    facts = {"fingerprint": "ab", "width": 4, "centred": False, "default_template": "{}"}
    workspace.store.set_setting(project.id, "encoder", facts)
    ClassEditor(workspace.store, project).prompt("square", "a box")
    app = page("classes", "shapes")
    assert list(app.dataframe[0].value["The model reads"]) == ["circle", "a box", "triangle"]
    prompt = next(each for each in app.text_input if each.label == "Prompt")
    prompt.set_value("a drawing").run()
    assert "must hold" in texts(app)
    assert not any(button.label == "Keep it for all classes" for button in app.button)
    next(each for each in app.text_input if each.label == "Prompt").set_value("a drawing of a {}").run()
    asked = previews.next_question(workspace)
    assert asked is not None
    name, question = asked
    assert isinstance(question, PromptQuestion)
    assert (question.template, question.template_before) == ("a drawing of a {}", None)
    assert question.prompts == question.before
    images = [each.content_hash for each in workspace.store.images(project.id)][:5]
    counts = zip(question.prompts, ((9, 9), (8, 3), (8, 13)), strict=True)
    classes = [
        {"class_id": class_id, "before": before, "after": after, "top_before": images, "top_after": images}
        for (class_id, _), (before, after) in counts
    ]
    previews.give(workspace, name, {"n": 25, "changed": 5, "classes": classes})
    app.run()
    assert "**5 of 25**" in texts(app)
    shown = next(each.value for each in app.dataframe if "Called so now" in each.value)
    assert list(shown["Class"]) == ["square", "triangle"]
    press(app, "Keep it for all classes")
    assert not app.exception
    assert workspace.store.project("shapes").config.template == "a drawing of a {}"
    app = page("classes", "shapes")
    reads = ["a drawing of a circle", "a box", "a drawing of a triangle"]
    assert list(app.dataframe[0].value["The model reads"]) == reads
    assert workspace.store.last_job(project.id, JobKind.REFIT) is not None


@pytest.mark.parametrize("name", ["classes"])
def test_without_a_project_the_page_says_what_to_do(workspace: Workspace, name: str) -> None:
    assert "No project yet" in texts(page(name))
