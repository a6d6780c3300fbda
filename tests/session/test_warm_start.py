"""A fit begins at the last round's model, and at nothing that a restart or a replay would not find again."""

from __future__ import annotations

from dataclasses import replace

from probal.session import Session
from probal.session.replay import replay
from probal.session.snapshot import read_fit, snapshot_path
from probal.session.standing import labeled_rows
from probal.session.warm_start import start_of
from probal.types import Project, Role
from tests.session.conftest import label


def begin(
    session: Session, watermark: int, project: Project | None = None, class_ids: list[int] | None = None
):
    store, project = session.store, project or session.project
    last = store.rounds(project.id)[-1]
    ids = [each.id for each in session.classes] if class_ids is None else class_ids
    return start_of(session.workspace, project, watermark, last.encoder_fingerprint, None, ids)


def test_the_beginning_is_the_last_model_before_the_labels(session: Session, truth: dict[str, str]) -> None:
    label(session, truth, [each.image_id for each in session.propose(6)])
    session.propose(6)
    store, ids = session.store, [each.id for each in session.classes]
    rounds = store.rounds(session.project.id)
    assert rounds[-1].event_watermark > rounds[-2].event_watermark
    now = store.watermark(session.project.id)
    assert now == rounds[-1].event_watermark
    session.propose(3)  # a round more without a label more changes nothing
    kept = read_fit(snapshot_path(session.workspace, session.project, rounds[-2].index), ids)
    assert kept is not None
    found = begin(session, now)
    assert found is not None
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in kept.items()
    }
    assert begin(session, 0) is None
    config = session.project.config
    assert begin(session, now, replace(session.project, config=replace(config, adapter="clap"))) is None
    assert begin(session, now, class_ids=ids[::-1]) is None


def test_a_restarted_session_has_the_same_model(session: Session, truth: dict[str, str]) -> None:
    for _ in range(7):  # more than four fifths of the labels are old ones at last
        label(session, truth, [each.image_id for each in session.propose(4)][:4])
    session.propose(4)
    here = session.refit().tensors()
    there = Session(session.workspace, session.project.name).refit().tensors()
    assert {name: value.tolist() for name, value in here.items()} == {
        name: value.tolist() for name, value in there.items()
    }
    last = session.store.rounds(session.project.id)[-1]
    assert replay(session, last.index).identical


def test_a_lost_snapshot_is_a_cold_start(session: Session, truth: dict[str, str]) -> None:
    label(session, truth, [each.image_id for each in session.propose(6)])
    now = session.store.watermark(session.project.id)
    assert begin(session, now) is not None
    for each in session.store.rounds(session.project.id):
        snapshot_path(session.workspace, session.project, each.index).unlink()
    assert begin(session, now) is None


def test_a_fit_learns_from_labels_in_the_order_they_were_given(
    session: Session, truth: dict[str, str]
) -> None:
    asked = [each.image_id for each in session.propose(6)]
    backwards = sorted(asked, reverse=True)
    for image_id in backwards:
        label(session, truth, [image_id])
    images = session._vectors.images(Role.POOL)
    store, project = session.store, session.project
    rows, _ = labeled_rows(store, project, images, session.classes, store.watermark(project.id))
    assert [images[i].id for i in rows.tolist()] == backwards
