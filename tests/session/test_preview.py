"""What the model would say before anything is committed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from probal import previews
from probal.classes import ClassEditor
from probal.errors import UserError
from probal.previews import GuessQuestion, PromptQuestion
from probal.session import Session
from probal.session.preview import Previews
from probal.types import Role
from probal.workspace import Workspace
from tests.session.conftest import SKEWED, ColourEncoder, draw_pool


@pytest.fixture
def answers(workspace: Workspace) -> Previews:
    return Previews(workspace, lambda encoder_id: ColourEncoder())


def test_guesses_come_without_any_project(workspace: Workspace, answers: Previews, tmp_path: Path) -> None:
    truth = draw_pool(tmp_path / "photos", 60)
    (tmp_path / "photos" / "broken.png").write_bytes(b"no image")
    question = GuessQuestion(str(tmp_path / "photos"), ("red", "green", "blue"), "embedded")
    name = previews.ask(workspace, question)
    assert previews.answer(workspace, name) is None
    assert answers.answer_next()
    found = previews.answer(workspace, name)
    assert found is not None
    assert len(found["images"]) == previews.SHOWN
    assert {each["path"] for each in found["images"]} < truth.keys()
    for each in found["images"]:
        names, shares = zip(*each["guesses"], strict=True)
        assert set(names) == {"red", "green", "blue"}
        assert list(shares) == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert pytest.approx(found["chance"]) == 1 / 3
    assert found["chance"] < found["sure"] <= 1
    assert workspace.store.projects() == []
    # known already: nothing is asked
    assert previews.ask(workspace, question) == name
    assert not answers.answer_next()


def test_only_the_last_question_is_answered(workspace: Workspace, answers: Previews, tmp_path: Path) -> None:
    draw_pool(tmp_path / "photos", 5)
    asked = [
        previews.ask(workspace, GuessQuestion(str(tmp_path / "photos"), classes, "embedded"))
        for classes in (("red", "green"), ("red", "blue"))
    ]
    assert answers.answer_next()
    assert not answers.answer_next()
    assert [previews.answer(workspace, each) is None for each in asked] == [True, False]


def test_a_folder_without_images_is_answered_in_a_sentence(
    workspace: Workspace, answers: Previews, tmp_path: Path
) -> None:
    name = previews.ask(workspace, GuessQuestion(str(tmp_path), ("red", "blue"), "embedded"))
    answers.answer_next()
    found = previews.answer(workspace, name)
    assert found is not None
    assert "can be read" in found["error"]
    previews.forget(workspace, name)
    assert previews.answer(workspace, name) is None


def test_other_prompts_are_compared_on_the_pool_and_change_nothing(session: Session) -> None:
    workspace, project = session.workspace, session.project
    answers = Previews(workspace)
    now = tuple((each.id, each.prompt) for each in session.classes)
    same = answers.answer(PromptQuestion(project.name, now, now))
    assert (same["n"], same["changed"]) == (len(workspace.store.images(project.id, role=Role.POOL)), 0)
    assert all(each["top_before"] == each["top_after"] for each in same["classes"])
    # red and blue change places
    red, green, blue = (each.id for each in session.classes)
    swapped = answers.answer(PromptQuestion(project.name, ((red, "blue"), (green, None), (blue, "red")), now))
    by_id = {each["class_id"]: each for each in swapped["classes"]}
    assert by_id[red]["after"] == by_id[blue]["before"]
    assert by_id[blue]["top_after"] == by_id[red]["top_before"]
    assert swapped["changed"] == by_id[red]["before"] + by_id[blue]["before"]
    assert [each.prompt for each in workspace.store.classes(project.id)] == [None] * 3
    audit = {image.content_hash for image in workspace.store.images(project.id, role=Role.AUDIT)}
    assert audit.isdisjoint(
        h for each in swapped["classes"] for h in [*each["top_before"], *each["top_after"]]
    )


def test_another_template_is_compared_and_then_used(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, project = session.workspace, session.project
    # read so, red and blue change places; green has a prompt of its own
    monkeypatch.setitem(SKEWED, "dark red", SKEWED["blue"])
    monkeypatch.setitem(SKEWED, "dark blue", SKEWED["red"])
    editor = ClassEditor(workspace.store, project)
    editor.prompt("green", "green")
    red, _, blue = (each.id for each in session.classes)
    now = tuple((each.id, each.prompt) for each in workspace.store.classes(project.id))
    found = Previews(workspace).answer(PromptQuestion(project.name, now, now, "dark {}", None))
    by_id = {each["class_id"]: each for each in found["classes"]}
    assert by_id[red]["after"] == by_id[blue]["before"]
    assert found["changed"] == by_id[red]["before"] + by_id[blue]["before"] > 0
    before = session.predict().probabilities
    editor.template("dark {}")
    after = Session(workspace, project.name).predict().probabilities
    assert np.allclose(after, before[:, [2, 1, 0]], atol=1e-3)
    ClassEditor(workspace.store, workspace.store.project(project.name)).template(" ")
    assert np.array_equal(Session(workspace, project.name).predict().probabilities, before)


def test_own_vectors_are_read_by_no_encoder(workspace: Workspace, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.eye(3), id=["a", "b", "c"])
    project = workspace.create_project("own", vectors=tmp_path / "own.npz", classes=["a", "b"])
    with pytest.raises(UserError, match="no encoder reads a prompt"):
        ClassEditor(workspace.store, project).template("a photo of a {}")
