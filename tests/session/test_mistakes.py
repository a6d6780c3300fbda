"""Wrong labels planted in a project are found; nothing is suspected where there is nothing."""

from uuid import uuid4

import pytest

from probal.classes import ClassEditor
from probal.session import Session
from probal.session.mistakes import check_labels
from probal.types import Event, EventKind, Role
from tests.session.conftest import SKEWED, audit_ids, label


def _say(session: Session, who: str, answers: dict[int, int]) -> None:
    events = [Event(str(uuid4()), EventKind.LABEL, who, image_id=i, class_id=c) for i, c in answers.items()]
    assert session.record(events).rejected == ()


def test_an_empty_project_has_no_suspects(session: Session) -> None:
    assert check_labels(session) == ()


def test_planted_mistakes_come_first(session: Session, truth: dict[str, str]) -> None:
    pool = session.store.images(session.project.id, role=Role.POOL)
    label(session, truth, [image.id for image in pool])
    ids = [each.id for each in session.classes]
    name_of = {each.id: each.name for each in session.classes}
    planted = {image.id for image in pool[:4]}
    right = {image.id: next(i for i in ids if name_of[i] == truth[image.path]) for image in pool}
    _say(session, "oracle", {i: ids[(ids.index(right[i]) + 1) % 3] for i in planted})
    found = check_labels(session)
    suspected = {each.image.id for each in found}
    assert len(planted & suspected) >= 2
    for each in found:
        assert each.class_id != each.suggested
        assert 0 <= each.probability < 0.5


def test_an_audit_label_is_judged_by_a_model_that_never_saw_it(
    session: Session, truth: dict[str, str]
) -> None:
    pool = session.store.images(session.project.id, role=Role.POOL)
    label(session, truth, [image.id for image in pool])
    audit = audit_ids(session)
    label(session, truth, audit)
    before = {each.image.id for each in check_labels(session)}
    ids = [each.id for each in session.classes]
    now = {lab.image_id: lab.class_id for lab in session.store.current_labels(session.project.id, Role.AUDIT)}
    changed = [i for i in audit if i not in before][:5]
    _say(session, "second", {i: ids[(ids.index(now[i]) + 1) % 3] for i in changed})
    found = check_labels(session)
    assert len(set(changed) & {each.image.id for each in found}) >= 3


@pytest.mark.parametrize("change", ["add", "move"])
def test_classes_that_changed_since_the_last_fit_are_checked_as_they_are_now(
    session: Session, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    pool = session.store.images(session.project.id, role=Role.POOL)
    label(session, truth, [image.id for image in pool] + audit_ids(session))
    session.refit()
    monkeypatch.setitem(SKEWED, "grey", (0.1, 0.1, 0.1))
    editor = ClassEditor(session.store, session.project)
    editor.add("grey") if change == "add" else editor.move(["blue"])
    found = check_labels(session)
    fresh = check_labels(Session(session.workspace, session.project.name))
    assert [each.image for each in found] == [each.image for each in fresh]
    assert [each.probability for each in found] == pytest.approx(
        [each.probability for each in fresh], abs=1e-4
    )
