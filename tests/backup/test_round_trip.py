"""A project out and back: the same project, under other ids, on another machine, and the loop goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from probal.backup import backup, restore
from probal.errors import UserError
from probal.pool.predictions import predictions_path, read_predictions
from probal.session import Session
from probal.session.snapshot import read_held_out
from probal.types import JobKind, JobState
from probal.worker import drain
from probal.workspace import DATABASE, Workspace
from tests.session.conftest import (
    COLOURS,
    audit_ids,
    colour_encoder,
    draw_pool,
    label,
    project,
    session,
    truth,
    workspace,
)

__all__ = ["colour_encoder", "project", "session", "truth", "workspace"]


@pytest.fixture
def labeled(session: Session, truth: dict[str, str]) -> Session:
    """Two rounds with labels of both kinds, one undone."""
    label(session, truth, [each.image_id for each in session.propose(8)])
    label(session, truth, audit_ids(session)[:6])
    session.refit()
    session.propose()
    session.evaluate()
    session.store.set_setting(
        session.project.id, "finish", {"event_watermark": session.store.watermark(session.project.id)}
    )
    return session


@pytest.fixture
def other(tmp_path: Path) -> Workspace:
    """Another machine, with a project of its own, so that no id is the same."""
    draw_pool(tmp_path / "theirs", 37, seed=5)
    there = Workspace(tmp_path / "other")
    there.create_project("older", images=tmp_path / "theirs", classes=list(COLOURS), batch_size=6)
    other = Session(there, "older")
    other.prepare()
    label(other, {each.path: "red" for each in there.store.images(1)}, audit_ids(other)[:3])
    return there


def facts(session: Session) -> dict[str, object]:
    """What a project is, in words instead of ids."""
    store, own = session.store, session.project.id
    paths = {image.id: image.content_hash for image in store.images(own)}
    names = {each.id: each.name for each in store.classes(own)}
    rounds = store.rounds(own)
    return {
        "images": [(image.content_hash, image.role, image.state) for image in store.images(own)],
        "classes": [(each.name, each.key, each.order) for each in store.classes(own)],
        "labels": [(paths[x.image_id], names[x.class_id], x.annotator) for x in store.current_labels(own)],
        "events": [
            (e.event.event_id, e.event.kind, paths[e.event.image_id], e.active) for e in store.events(own)
        ],
        "rounds": [
            replace(each, id=0, pending_ids=tuple(paths[i] for i in each.pending_ids), event_watermark=0)  # type: ignore[misc]
            for each in rounds
        ],
        "seen": [len(store.current_labels(own, until=each.event_watermark)) for each in rounds],
        "proposals": [
            (
                paths[item.image_id],
                [(names[c], p) for c, p in item.predicted],
                [(names[c], p) for c, p in item.reason.contested],
                paths.get(item.reason.nearest_labeled or 0),
            )
            for each in rounds
            for item in store.proposals(each.id)
        ],
        "metrics": store.metrics(own),
        "config": {**session.project.config.__dict__, "image_root": None},
    }


def test_it_is_the_same_project_under_other_ids(labeled: Session, other: Workspace, tmp_path: Path) -> None:
    before = facts(labeled)
    report = backup(labeled.workspace, labeled.project, tmp_path / "p.probal")
    assert (report.images, report.labels, report.vectors) == (90, 14, 90)
    assert not list(tmp_path.glob(".*partial"))
    moved = shutil.move(tmp_path / "images", tmp_path / "elsewhere")
    (Path(moved) / "0-000.png").rename(Path(moved) / "renamed.png")
    restored = restore(other, tmp_path / "p.probal", images=tmp_path / "elsewhere")
    assert (restored.images, restored.found, restored.vectors) == (90, 90, 90)
    back = Session(other, "colours")
    assert facts(back) == before
    assert {image.id for image in other.store.images(back.project.id)}.isdisjoint(range(1, 38))
    assert back.project.config.image_root == str(tmp_path / "elsewhere")
    assert "renamed.png" in {image.path for image in other.store.images(back.project.id)}
    assert other.store.jobs(back.project.id) == [], "nothing is left to do"
    watermark = other.store.get_setting(back.project.id, "finish")["event_watermark"]
    assert watermark == other.store.watermark(back.project.id)


def test_files_that_hold_ids_speak_of_the_new_ones(
    labeled: Session, other: Workspace, tmp_path: Path
) -> None:
    backup(labeled.workspace, labeled.project, tmp_path / "p.probal")
    back = restore(other, tmp_path / "p.probal").project
    ids = {image.id for image in other.store.images(back.id)}
    classes = {each.id for each in other.store.classes(back.id)}
    for index, one in enumerate(other.store.rounds(back.id)):
        path = other.snapshots_dir / str(back.id) / f"round-{index:05d}.safetensors"
        held_out = read_held_out(path)
        assert held_out is not None
        assert set(held_out.image_ids.tolist()) <= ids
        assert set(held_out.class_ids.tolist()) == classes
        assert one.index == index
    with closing(sqlite3.connect(other.path / DATABASE)) as database:
        noted = dict(database.execute("select path, sha256 from snapshot where project_id = ?", [back.id]))
    assert noted == {
        path.relative_to(other.path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (other.snapshots_dir / str(back.id)).glob("round-*.safetensors")
    }
    predictions = read_predictions(predictions_path(other.snapshots_dir, back.id))
    assert predictions is not None
    assert set(predictions.records["image_id"].tolist()) <= ids
    assert set(predictions.records["class_ids"][:, :3].ravel().tolist()) == classes


def test_the_loop_goes_on_as_it_would_have(
    labeled: Session, other: Workspace, truth: dict[str, str], tmp_path: Path
) -> None:
    backup(labeled.workspace, labeled.project, tmp_path / "p.probal")
    restore(other, tmp_path / "p.probal")
    back = Session(other, "colours")
    picked, curves = [], []
    for one in (labeled, back):
        paths = {image.id: image.path for image in one.store.images(one.project.id)}
        at = {path: image_id for image_id, path in paths.items()}
        label(
            one,
            truth,
            [at[path] for path in sorted(truth)[:5] if path in at and at[path] not in audit_ids(one)],
        )
        picked.append([paths[each.image_id] for each in one.propose()])
        curves.append([(m.name, m.value) for m in one.evaluate()])
        assert np.isfinite(one.predict().probabilities).all()
    assert picked[0] == picked[1]
    assert curves[0] == curves[1]


def test_without_vectors_they_are_computed_again(labeled: Session, other: Workspace, tmp_path: Path) -> None:
    small = backup(labeled.workspace, labeled.project, tmp_path / "p.probal", vectors=False)
    assert small.vectors == 0
    fresh = Workspace(tmp_path / "fresh")
    report = restore(fresh, tmp_path / "p.probal", name="again")
    assert (report.project.name, report.vectors) == ("again", 0)
    (job,) = fresh.store.jobs(report.project.id)
    assert (job.kind, job.state) == (JobKind.PREPARE, JobState.QUEUED)
    assert {each.state for each in drain(fresh, report.project)} == {JobState.DONE}
    again, first = Session(fresh, "again").predict(), labeled.predict()
    assert np.allclose(again.probabilities, first.probabilities, atol=1e-6)


def test_images_that_are_gone_are_kept_as_missing(labeled: Session, other: Workspace, tmp_path: Path) -> None:
    backup(labeled.workspace, labeled.project, tmp_path / "p.probal")
    for file in sorted((tmp_path / "images").iterdir())[:4]:
        file.unlink()
    report = restore(other, tmp_path / "p.probal")
    assert (report.images, report.found) == (90, 86)
    assert len(other.store.current_labels(report.project.id)) == 14


def test_nothing_is_overwritten(labeled: Session, tmp_path: Path) -> None:
    file = tmp_path / "p.probal"
    backup(labeled.workspace, labeled.project, file)
    with pytest.raises(UserError, match="is there already, and nothing is overwritten"):
        backup(labeled.workspace, labeled.project, file)
    before = facts(labeled)
    with pytest.raises(UserError, match=r"named 'colours' already, and nothing is overwritten.*--name"):
        restore(labeled.workspace, file)
    assert facts(Session(labeled.workspace, "colours")) == before
    twin = restore(labeled.workspace, file, name="twin")
    assert twin.found == 90
    assert facts(Session(labeled.workspace, "twin")) == before == facts(labeled)


def damaged(file: Path, to: Path, change: dict[str, bytes | None]) -> Path:
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(to, "w") as target:
        parts = {name: source.read(name) for name in source.namelist()} | change
        for name, data in parts.items():
            if data is not None:
                target.writestr(name, data)
    return to


def test_what_is_no_backup_or_damaged_leaves_nothing(
    labeled: Session, other: Workspace, tmp_path: Path
) -> None:
    good = tmp_path / "p.probal"
    backup(labeled.workspace, labeled.project, good)
    with zipfile.ZipFile(good) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    (tmp_path / "text").write_text("hello")
    escape = {**manifest, "sha256": {**manifest["sha256"], "files/../../x": "0"}}
    cases = {
        "there is no backup": tmp_path / "none",
        "is no backup: ": tmp_path / "text",
        "it has no manifest": damaged(good, tmp_path / "a", {"manifest.json": None}),
        "of another version": damaged(
            good, tmp_path / "b", {"manifest.json": b'{"format": "probal-backup-9"}'}
        ),
        "project.sqlite is not what was written": damaged(good, tmp_path / "c", {"project.sqlite": b"x"}),
        "its parts are not those": damaged(good, tmp_path / "d", {"files/centre.npy": None}),
        "leads out of it": damaged(
            good, tmp_path / "e", {"manifest.json": json.dumps(escape).encode(), "files/../../x": b"x"}
        ),
    }
    for message, file in cases.items():
        with pytest.raises(UserError, match=message):
            restore(other, file)
    shutil.move(tmp_path / "images", tmp_path / "gone")
    with pytest.raises(UserError, match="which is not here: give the folder they are in"):
        restore(other, good)
    assert [each.name for each in other.store.projects()] == ["older"]
    assert [each.name for each in other.snapshots_dir.iterdir()] == ["1"]


def test_a_failure_in_the_middle_leaves_nothing(
    labeled: Session, other: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(labeled.workspace, labeled.project, tmp_path / "p.probal")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("probal.backup.read.move_ids", full)
    with pytest.raises(UserError, match="No space left"):
        restore(other, tmp_path / "p.probal")
    assert [each.name for each in other.store.projects()] == ["older"]
    assert [each.name for each in other.snapshots_dir.iterdir()] == ["1"]
