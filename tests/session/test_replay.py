"""A round replayed: the same however much was labeled since, and honest where something has changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from PIL import Image

from probal.errors import UserError
from probal.session import Session
from probal.session.replay import replay
from probal.types import Event, EventKind, Role
from tests.session.conftest import audit_ids, label


@pytest.fixture
def rounds(session: Session, truth: dict[str, str]) -> Session:
    """Three rounds; labels, a flag, an undo and images in somebody's hands between them."""
    store, own = session.store, session.project.id
    ids = label(session, truth, [each.image_id for each in session.propose(6)])
    session.record([Event("undo", EventKind.UNDO, "oracle", target_event_id=ids[0])])
    session.record([Event("flag", EventKind.FLAG, "oracle", image_id=session.propose(4)[0].image_id)])

    store.lease(own, "ann", "window", 5, datetime.now(UTC))
    session.propose(7, "bald")
    label(session, truth, audit_ids(session)[:4])
    label(session, truth, [each.image_id for each in session.propose(8, "power-margin")])
    return session


@pytest.mark.parametrize("index", range(5))
def test_every_round_comes_out_the_same(rounds: Session, index: int) -> None:
    before = rounds.store.watermark(rounds.project.id), len(rounds.store.rounds(rounds.project.id))
    found = replay(rounds, index)
    assert found.differences == ()
    assert found.identical
    assert found.recorded == found.replayed
    assert len(found.recorded) > 3
    assert (rounds.store.watermark(rounds.project.id), len(rounds.store.rounds(rounds.project.id))) == before


def test_labels_that_come_while_a_round_is_made_wait_for_the_next(
    session: Session, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person answers after the log's end was read, once before the fit and once after it."""
    store, own = session.store, session.project.id
    label(session, truth, [each.image_id for each in session.propose(9)])
    waiting = [each.image_id for each in session.propose(9)]
    audit = audit_ids(session)
    read = store.watermark
    calls = []

    def interrupted(project_id: int) -> int:
        found = read(project_id)
        calls.append(found)
        if len(calls) <= 3:
            label(session, truth, [waiting.pop(), audit.pop()])
        return found

    monkeypatch.setattr(store, "watermark", interrupted)
    session.propose(5)
    monkeypatch.undo()
    latest = store.latest_round(own)
    assert latest is not None
    assert calls
    assert latest.event_watermark < read(own)
    assert latest.n_train == len(store.current_labels(own, Role.POOL, latest.event_watermark))
    assert latest.n_labels == len(store.current_labels(own, until=latest.event_watermark))
    answered = {each.image_id for each in store.current_labels(own, Role.POOL)}
    assert not answered & {each.image_id for each in store.proposals(latest.id)}
    assert set(latest.pending_ids) <= answered
    assert latest.pending_ids
    assert replay(session, latest.index).differences == ()


def test_images_that_came_since_are_told(rounds: Session, tmp_path) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "images" / "new.png")
    rounds.prepare()
    found = replay(rounds, 0)
    assert not found.identical
    assert found.differences[0].startswith("the candidates are others")


def test_a_round_that_is_not_there(rounds: Session) -> None:
    with pytest.raises(UserError, match="'colours' has no round 9; there are 0 to 4"):
        replay(rounds, 9)


def test_a_round_says_how_many_labels_come_before_the_next_fit(session: Session) -> None:
    batch = session.project.config.batch_size
    session.propose()
    session.propose(3)
    first, second = session.store.rounds(session.project.id)[-2:]
    assert (first.config["batch"], first.config["fitted_after"]) == (4 * batch, batch)
    assert (second.config["batch"], second.config["fitted_after"]) == (3, 3)
    assert replay(session, first.index).identical
