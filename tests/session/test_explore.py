"""What the worker does for Explore: a round that begins by hand, the map, searched texts, doubtful labels."""

from pathlib import Path

import numpy as np
from PIL import Image

from probal import worker
from probal.explore import files, load_catalog
from probal.explore.actions import add_to_batch, ask, bulk_label
from probal.explore.catalog import near_audit
from probal.explore.doubts import latest_check
from probal.explore.pool_map import draw_map, on_the_map
from probal.explore.search import text_likeness
from probal.session import Session
from probal.session.by_hand import chosen_by_hand
from probal.session.replay import replay
from probal.types import JobKind, JobState, Role
from tests.session.conftest import audit_ids, label


def test_a_round_begins_with_what_was_chosen_by_hand_and_can_be_replayed(session: Session) -> None:
    store, project = session.store, session.project
    usual = [each.image_id for each in session.propose()]
    pool = load_catalog(session.workspace, project).ids.tolist()
    wanted = [image_id for image_id in pool if image_id not in usual][:3]
    add_to_batch(store, project, [*wanted[1:], wanted[0]])
    (job,) = (each for each in worker.drain(session.workspace, project) if each.kind is JobKind.REFIT)
    assert job.state is JobState.DONE
    latest = store.latest_round(project.id)
    assert latest is not None
    proposals = store.proposals(latest.id)
    assert [each.image_id for each in proposals[:3]] == [*wanted[1:], wanted[0]]
    assert [each.reason.phase == "chosen by hand" for each in proposals[:4]] == [True] * 3 + [False]
    assert len({each.image_id for each in proposals}) == len(proposals)
    assert chosen_by_hand(store, project) == []
    assert replay(session, latest.index).identical
    session.propose()
    again = store.latest_round(project.id)
    assert again is not None
    assert "by_hand" not in again.config


def test_the_map_job_places_every_pool_image_and_nothing_else(session: Session) -> None:
    session.store.enqueue(session.project.id, JobKind.MAP)
    jobs = worker.drain(session.workspace, session.project)
    assert [each.error for each in jobs] == [None] * len(jobs)
    catalog = load_catalog(session.workspace, session.project)
    assert np.isfinite(catalog.xy).all()
    assert np.abs(catalog.xy).max() == 1
    # colours lie apart: most neighbours on the map are predicted alike
    near = ((catalog.xy[:, None] - catalog.xy[None]) ** 2).sum(2) + 9 * np.eye(len(catalog))
    assert (catalog.predicted[near.argmin(1)] == catalog.predicted).mean() > 0.7
    path = files.folder(session.workspace, session.project) / files.MAP
    before = path.stat().st_mtime_ns
    draw_map(session.workspace, session.project, lambda *_: None)
    assert path.stat().st_mtime_ns == before, "the same vectors are not placed twice"


def test_a_large_pool_is_sampled_the_same_way_again(session: Session) -> None:
    images = session.store.images(session.project.id, role=Role.POOL)
    some = on_the_map(images, seed=0, most=20)
    assert some == on_the_map(images[::-1], seed=0, most=20)
    assert len(some) == 20
    more = on_the_map(images, seed=0, most=21)
    assert {each.id for each in some} < {each.id for each in more}


def test_a_text_is_searched_by_the_encoder(session: Session) -> None:
    workspace, project = session.workspace, session.project
    catalog = load_catalog(workspace, project)
    assert text_likeness(workspace, project, catalog, "green") is None
    ask(session.store, project, text="green")
    worker.drain(workspace, project)
    found = text_likeness(workspace, project, catalog, "green")
    assert found is not None
    green = next(each.id for each in session.classes if each.name == "green")
    assert (catalog.predicted[np.argsort(-found)[:5]] == green).all()


def test_wrong_labels_are_doubted_and_audit_labels_are_not_shown(
    session: Session, truth: dict[str, str]
) -> None:
    store, project = session.store, session.project
    catalog = load_catalog(session.workspace, project)
    label(session, truth, catalog.ids[:40].tolist())
    audit = [image.id for image in store.images(project.id, role=Role.AUDIT)]
    label(session, truth, audit)
    names = {each.name: each.id for each in session.classes}
    red = [image.id for image in catalog.images[:40] if truth[image.path] == "red"]
    wrong = red[0]
    bulk_label(store, project, [wrong], names["blue"], "ada", relabel=True)
    store.enqueue(project.id, JobKind.CHECK)
    worker.drain(session.workspace, project)
    check = latest_check(session.workspace, project)
    assert check is not None
    assert wrong in {each.image_id for each in check.doubts}
    assert not {each.image_id for each in check.doubts} & set(audit)


def test_near_duplicates_of_audit_images_are_neither_proposed_nor_trained_on(
    session: Session, truth: dict[str, str], tmp_path: Path
) -> None:
    store, project = session.store, session.project
    first = store.image(project.id, audit_ids(session)[0])
    original = Image.open(tmp_path / "images" / first.path)
    original.resize((64, 64), Image.Resampling.BICUBIC).save(tmp_path / "images" / "copy.png")
    session.prepare()
    copy = next(image for image in store.images(project.id) if image.path == "copy.png")
    assert copy.role is Role.POOL
    assert near_audit(store, project) == {copy.id}
    proposed = [each.image_id for each in session.propose(200)]
    first_round = store.latest_round(project.id)
    assert first_round is not None
    assert first_round.config["decided"]["covered"] == 0  # nobody labels the copy, so it stands for nothing
    assert len(proposed) == len(store.images(project.id, role=Role.POOL)) - 1
    assert copy.id not in proposed
    label(session, {**truth, "copy.png": truth[first.path]}, [copy.id, proposed[0]])
    session.propose()
    latest = store.latest_round(project.id)
    assert latest is not None
    assert latest.n_train == 1
