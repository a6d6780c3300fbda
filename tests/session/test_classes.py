"""The whole loop while its classes change: new ones come, two become one, some go, and old rounds still measure."""

from __future__ import annotations

import numpy as np
import pytest

from probal.classes import ClassEditor
from probal.session import Session
from probal.session.finish import plan
from probal.session.replay import replay
from probal.session.snapshot import HeldOutPredictions
from probal.types import Role
from tests.session.conftest import SKEWED, audit_ids, label


@pytest.fixture
def editor(session: Session, monkeypatch: pytest.MonkeyPatch) -> ClassEditor:
    for name in ("grey", "crimson"):
        monkeypatch.setitem(SKEWED, name, (0.1, 0.1, 0.1))
    return ClassEditor(session.store, session.project)


def play(session: Session, truth: dict[str, str], rounds: int) -> None:
    for _ in range(rounds):
        label(session, truth, [each.image_id for each in session.propose(6)][:4])
        session.evaluate()


def accuracies(session: Session) -> dict[int, float]:
    found = {
        m.round_index: m.value for m in session.store.metrics(session.project.id) if m.name == "accuracy"
    }
    assert all(np.isfinite(m.value) for m in session.store.metrics(session.project.id))
    return found


def test_a_class_added_at_round_five(session: Session, truth: dict[str, str], editor: ClassEditor):
    label(session, truth, audit_ids(session)[:20])
    play(session, truth, 5)
    before = accuracies(session)
    editor.add("grey")
    greys = [each.image_id for each in session.propose(6)][:3]
    assert [each.name for each in session.classes] == ["red", "green", "blue", "grey"]
    changed = {path: "grey" if i in greys else name for i, (path, name) in enumerate(truth.items())}
    images = {image.id: image.path for image in session.store.images(session.project.id)}
    label(session, changed | {images[i]: "grey" for i in greys}, greys)
    proposals = session.propose(4)
    assert {class_id for each in proposals for class_id, _ in each.predicted} == {
        c.id for c in session.classes
    }
    session.evaluate()
    after = accuracies(session)
    # no audit image is grey, so the older rounds, which knew three classes, measure as they did
    assert {index: after[index] for index in before} == before
    assert session.predict().probabilities.shape[1] == 4
    assert replay(session, 2).identical


def test_the_log_loss_of_a_round_is_over_the_classes_that_it_knew(
    session: Session, truth: dict[str, str], editor: ClassEditor
):
    audit = audit_ids(session)
    label(session, truth, audit[:20])
    play(session, truth, 2)
    before = {m.round_index: m for m in session.store.metrics(session.project.id, "nll")}
    editor.add("grey")
    session.propose(4)
    images = {image.id: image.path for image in session.store.images(session.project.id)}
    label(session, {images[i]: "grey" for i in audit}, audit[20:])
    session.evaluate()
    after = {m.round_index: m for m in session.store.metrics(session.project.id, "nll")}
    counted = [m.n for m in session.store.metrics(session.project.id, "accuracy")]
    assert counted == [30] * 4
    assert {index: (after[index].value, after[index].n) for index in before} == {
        index: (pytest.approx(each.value, rel=1e-5), 20) for index, each in before.items()
    }
    assert after[max(after)].n == 30
    # a class that was merged since was known
    editor.merge("blue", "red")
    session.propose(4)
    session.evaluate()
    assert [m.n for m in session.store.metrics(session.project.id, "nll")] == [20, 20, 20, 30, 30]


def test_two_classes_merged_and_taken_apart(session: Session, truth: dict[str, str], editor: ClassEditor):
    label(session, truth, audit_ids(session)[:20])
    play(session, truth, 3)
    before = accuracies(session)
    last = session.store.latest_round(session.project.id)
    assert last is not None
    editor.merge("red", "blue")
    session.propose(4)
    session.evaluate()
    assert [each.name for each in session.classes] == ["green", "blue"]
    merged = accuracies(session)
    # what was right stays right, and taking red for blue is right now
    assert all(merged[index] >= value for index, value in before.items())
    names = {each.name for each in session.classes}
    assert {each.label for each in plan(session, 0.5, 0.5).labels} <= names
    assert replay(session, last.index).identical
    editor.undo()
    session.propose(4)
    session.evaluate()
    apart = accuracies(session)
    assert {index: apart[index] for index in before} == before


def test_an_archived_class_trains_nothing_and_its_images_are_not_asked_for(
    session: Session, truth: dict[str, str], editor: ClassEditor
):
    label(session, truth, audit_ids(session)[:20])
    play(session, truth, 3)
    labeled = {each.image_id for each in session.store.current_labels(session.project.id, Role.POOL)}
    editor.archive("red")
    assert labeled.isdisjoint(each.image_id for each in session.propose(30))
    session.evaluate()
    assert [each.name for each in session.classes] == ["green", "blue"]
    assert set(accuracies(session)) == {0, 1, 2, 3, 4}


def test_a_prompt_moves_the_prior_and_the_order_moves_nothing(
    session: Session, truth: dict[str, str], editor: ClassEditor
):
    label(session, truth, audit_ids(session)[:4])
    play(session, truth, 2)
    before = session.predict()
    editor.move(["blue"])
    after = session.predict()
    assert after.class_names == ("blue", "red", "green")
    order = [before.class_names.index(name) for name in after.class_names]
    np.testing.assert_allclose(after.probabilities, before.probabilities[:, order], atol=1e-3)  # quadrature
    editor.prompt("blue", "crimson")
    assert np.abs(session.predict().probabilities - after.probabilities).max() > 0.01


def test_probabilities_of_a_round_in_the_classes_of_today():
    saved = HeldOutPredictions(np.array([7]), np.array([1, 2, 3]), np.array([[0.5, 0.3, 0.2]]))
    same = saved.in_classes([1, 2, 3], {1: 1, 2: 2, 3: 3})
    np.testing.assert_allclose(same, [[0.5, 0.3, 0.2, 0]])
    # 2 merged into 3, 1 archived, 4 new, another order
    found = saved.in_classes([4, 3], {1: 1, 2: 3, 3: 3, 4: 4})
    np.testing.assert_allclose(found, [[0, 0.5, 0.5]])
