"""The finish on a drawn pool: what is promised, what is kept, and that nothing is ever fitted on it."""

import csv
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from probal import finish_plan, finished
from probal.errors import UserError
from probal.evaluation.neighbourhood import nearest, with_neighbours
from probal.finish_plan import Evidence, accept, evidence_path
from probal.session import Session
from probal.session.finish import evidence, plan
from probal.types import Event, EventKind, Role
from tests.session.conftest import audit_ids, label


def _labeled(session: Session, truth: dict[str, str]) -> None:
    label(session, truth, audit_ids(session))
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    label(session, truth, [p.image_id for p in session.store.proposals(latest.id)[:12]])


def test_every_image_is_labeled_abstained_on_or_human(session: Session, truth: dict[str, str]) -> None:
    _labeled(session, truth)
    made = plan(session, 0.5, 0.6)
    human = len(session.store.current_labels(session.project.id))
    assert made.labels
    assert len(made.labels) + len(made.abstained) + human == 90
    assert len(made.labels) == made.certificate.kept
    assert made.audit_n == 30
    wrong = sum(truth[each.path] != each.label for each in made.labels)
    assert wrong <= 0.5 * len(made.labels)
    least = min(each.probability for each in made.labels)
    assert made.certificate.threshold is not None
    assert least >= made.certificate.threshold
    assert [each.probability for each in made.labels] == sorted(
        (each.probability for each in made.labels), reverse=True
    )


def test_a_high_promise_on_thirty_images_is_refused(session: Session, truth: dict[str, str]) -> None:
    _labeled(session, truth)
    made = plan(session, 0.98)
    assert made.labels == ()
    assert made.certificate.audit_needed == 149
    with pytest.raises(UserError, match="nothing is certified"):
        accept(session.workspace, session.project, made)


def test_flags_and_skips_of_the_audit_count_against_the_model(
    session: Session, truth: dict[str, str]
) -> None:
    audit = audit_ids(session)
    label(session, truth, audit[:20])
    events = [
        Event(str(uuid4()), kind, "me", image_id=i)
        for i, kind in zip(audit[20:], [EventKind.FLAG, EventKind.SKIP] * 5, strict=True)
    ]
    session.record(events)
    made = plan(session, 0.5, 0.6)
    assert made.audit_n == 30
    assert made.labels == ()
    skipped = {event.image_id for event in events if event.kind is EventKind.SKIP}
    paths = {image.id: image.path for image in session.store.images(session.project.id)}
    assert {paths[i] for i in skipped if i is not None} <= {each.path for each in made.abstained}
    flagged = {paths[event.image_id] for event in events if event.kind is EventKind.FLAG and event.image_id}
    assert not flagged & {each.path for each in made.abstained}


def test_accepted_labels_are_kept_apart_and_yield_to_people(session: Session, truth: dict[str, str]) -> None:
    _labeled(session, truth)
    before = session.refit()
    store, project = session.store, session.project
    made = plan(session, 0.5, 0.6)
    record = accept(session.workspace, session.project, made)
    assert finished.record(session.workspace, project) == record
    assert (record.neighbours, record.neighbour_share) == (10, 0.3)
    kept = finished.accepted(session.workspace, project)
    assert {(each.path, each.label) for each in kept} == {(each.path, each.label) for each in made.labels}
    again = Session(session.workspace, project.name)
    assert again._engine.fit().n_train == 12
    assert all((again.refit().tensors()[name] == value).all() for name, value in before.tensors().items())

    first = next(image for image in store.images(project.id) if image.path == made.labels[0].path)
    label(session, truth, [first.id])
    left = finished.accepted(session.workspace, project)
    assert len(left) == len(kept) - 1
    assert first.path not in {each.path for each in left}
    with pytest.raises(UserError, match="meantime"):
        accept(session.workspace, session.project, made)


def test_the_files_tell_human_from_model(session: Session, truth: dict[str, str], tmp_path: Path) -> None:
    _labeled(session, truth)
    made = plan(session, 0.5, 0.6)
    finished.write(session.workspace, session.project, made.labels, made.abstained, tmp_path / "out")
    with (tmp_path / "out" / finished.LABELS).open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    by_source = {source: [row for row in rows if row["source"] == source] for source in ("human", "model")}
    assert len(by_source["human"]) == 42
    assert all(truth[row["path"]] == row["label"] and not row["probability"] for row in by_source["human"])
    assert {row["path"] for row in by_source["model"]} == {each.path for each in made.labels}
    with (tmp_path / "out" / finished.ABSTAINED).open(encoding="utf-8") as handle:
        assert len(list(csv.DictReader(handle))) == len(made.abstained)


def test_there_must_be_something_to_test_on(session: Session) -> None:
    with pytest.raises(UserError, match="no audit label"):
        plan(session, 0.9)
    with pytest.raises(UserError, match="between 0 and 1"):
        plan(session, 98.0)


def test_a_test_set_takes_the_place_of_the_audit(
    session: Session, truth: dict[str, str], tmp_path: Path
) -> None:
    images = tmp_path / "images"
    some = dict(sorted(truth.items())[:40])
    project = session.workspace.create_project(
        "tested", images=images, classes=["red", "green", "blue"], batch_size=6, test_labels=some
    )
    tested = Session(session.workspace, project.name)
    tested.prepare()
    made = plan(tested, 0.7, 0.8)
    assert made.audit_n == 40
    assert not {each.path for each in (*made.labels, *made.abstained)} & some.keys()
    assert len(made.labels) + len(made.abstained) == 50
    assert all(each.role == Role.POOL for each in made.labels)


def test_the_evidence_survives_the_disk_and_gives_the_same_plan(
    session: Session, truth: dict[str, str]
) -> None:
    _labeled(session, truth)
    path = evidence_path(session.workspace, session.project)
    assert Evidence.load(path) is None
    evidence(session).save(path)
    kept = Evidence.load(path)
    assert kept is not None
    assert finish_plan.plan(session.workspace, session.project, kept, 0.5, 0.6) == plan(session, 0.5, 0.6)
    path.write_bytes(b"not an archive")
    assert Evidence.load(path) is None


def test_an_accepted_finish_can_be_taken_back(session: Session, truth: dict[str, str]) -> None:
    _labeled(session, truth)
    accept(session.workspace, session.project, plan(session, 0.5, 0.6))
    assert finished.accepted(session.workspace, session.project)
    finished.discard(session.workspace, session.project)
    assert finished.record(session.workspace, session.project) is None
    assert finished.accepted(session.workspace, session.project) == []
    finished.discard(session.workspace, session.project)


def test_a_finish_of_before_its_neighbours_were_recorded_is_read(
    session: Session, truth: dict[str, str]
) -> None:
    _labeled(session, truth)
    record = accept(session.workspace, session.project, plan(session, 0.5, 0.6))
    earlier = {k: v for k, v in record.to_dict().items() if not k.startswith("neighbour")}
    session.store.set_setting(session.project.id, finished.SETTING, earlier)
    found = finished.record(session.workspace, session.project)
    assert found == replace(record, neighbours=None, neighbour_share=None)


def test_images_that_are_alike_help_each_other(session: Session, truth: dict[str, str]) -> None:
    _labeled(session, truth)
    found, alone = evidence(session), session.predict(Role.POOL, Role.AUDIT, Role.TEST)
    assert [image.id for image in alone.images] == found.image_ids.tolist()
    mixed = with_neighbours(alone.probabilities, nearest(session.rows(alone.images)))
    np.testing.assert_allclose(found.confidence, mixed.max(1))
    assert abs(found.confidence - alone.probabilities.max(1)).max() > 0.01
