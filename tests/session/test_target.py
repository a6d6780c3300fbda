"""Rounds aimed at a target: a folder or another project, by neighbours and then by what tells about it."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from probal.acquisition import epig
from probal.errors import UserError
from probal.gaussian import GaussianEmbedding
from probal.pool.scan import scan_folder
from probal.posterior import Damping, Distance, nearest_to_targets
from probal.session import Session, posterior_files
from probal.session.estimate import estimator_of
from probal.session.target import Aim, near_target
from probal.types import Role
from tests.session.conftest import COLOURS, draw_pool, label


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """Eight reddish images, a broken one, and one twice."""
    folder = tmp_path / "target"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for i in range(8):
        pixels = np.clip(np.array(COLOURS["red"]) + rng.normal(0, 12, (8, 8, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
    (folder / "again.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def colours(session: Session, truth: dict[str, str], image_ids: list[int]) -> list[str]:
    images = {image.id: image for image in session.store.images(session.project.id)}
    return [truth[images[i].path] for i in image_ids]


@pytest.mark.parametrize("distance", list(Distance))
@pytest.mark.parametrize("with_posterior", [False, True])
def test_what_is_proposed_lies_near_the_target(
    session: Session, truth: dict[str, str], red: Path, distance: Distance, with_posterior: bool
) -> None:
    if with_posterior:
        made = estimator_of(session.workspace, session.project).label_free(Damping.EXACT, 200.0)
        posterior_files.save(session.workspace, session.project, made)
    session = Session(session.workspace, session.project.name)
    aim = session.aim(str(red), distance, 2)
    assert (aim.total, len(aim.items)) == (8, 8)
    proposals = session.propose(4, aim=aim)
    assert len(proposals) == 4
    assert colours(session, truth, [each.image_id for each in proposals]) == 4 * ["red"]
    assert {each.reason.target for each in proposals} == {str(red)}
    assert {each.reason.phase for each in proposals} == {"information"}
    written = session.store.latest_round(session.project.id)
    assert written is not None
    assert written.strategy == "epig"
    found = written.config["target"]
    assert found["name"] == str(red)
    assert found["distance"] == distance.value
    assert (found["images"], found["used"], found["neighbours"]) == (8, 8, 2)
    assert 4 <= found["candidates"] <= 16 * found["neighbours_used"]


def test_a_target_needs_no_label_and_changes_nothing_of_the_project(session: Session, red: Path) -> None:
    before = session.store.images(session.project.id), session.store.events(session.project.id)
    session.propose(3, aim=session.aim(str(red)))
    assert (session.store.images(session.project.id), session.store.events(session.project.id)) == before


def test_the_neighbourhood_grows_until_there_are_enough(
    session: Session, truth: dict[str, str], red: Path
) -> None:
    pool = session.store.images(session.project.id, role=Role.POOL)
    reds = [image.id for image in pool if truth[image.path] == "red"]
    label(session, truth, reds)
    proposals = session.propose(1000, "margin", session.aim(str(red), neighbours=1))
    assert {each.image_id for each in proposals} == {image.id for image in pool} - set(reds)


def test_another_projects_pool_is_a_target(session: Session, tmp_path: Path) -> None:
    draw_pool(tmp_path / "other", 45, seed=3)
    session.workspace.create_project("other", images=tmp_path / "other", classes=["a", "b"])
    with pytest.raises(UserError, match="the project 'other' has no images yet"):
        session.aim("other")
    theirs = Session(session.workspace, "other")
    theirs.store.sync_images(theirs.project.id, scan_folder(tmp_path / "other"))
    aim = session.aim("other")
    assert (aim.name, aim.total) == ("other", 45)
    assert len(session.propose(3, aim=aim)) == 3


def test_a_large_target_is_drawn_from_and_the_draw_repeats(
    session: Session, red: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probal.session.target.MAX_TARGETS", 5)
    aims = [session.aim(str(red)) for _ in range(2)]
    assert aims[0] == aims[1]
    assert (aims[0].total, len(aims[0].items)) == (8, 5)


def test_what_is_no_target_is_told_in_one_line(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder and no such project"):
        session.aim("nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no image file in"):
        session.aim(str(tmp_path / "empty"))


def test_rows_without_a_direction_are_near_nothing() -> None:
    pool = GaussianEmbedding(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))
    target = GaussianEmbedding(torch.tensor([[0.9, 0.1]]))
    aim = Aim("t", (), 1, "d", neighbours=1)
    near, k = near_target(pool, target, torch.tensor([0, 1, 2]), aim, wanted=3)
    assert (near.tolist(), k) == ([0, 2], 2)
    assert near_target(pool, target, torch.tensor([1]), aim, wanted=1)[0].tolist() == []


@pytest.mark.parametrize(("distance", "nearest"), [(Distance.COSINE, 1), (Distance.WASSERSTEIN, 0)])
def test_the_distance_that_is_asked_for_decides(distance: Distance, nearest: int) -> None:
    """Row 0 is as uncertain as the target and turned away a little; row 1 points its way and is certain."""
    mean = torch.tensor([[0.98, 0.2], [1.0, 0.0]])
    pool = GaussianEmbedding(mean, leverage=torch.tensor([0.5, 0.0]), shared=torch.ones(2))
    target = GaussianEmbedding(mean[1:], leverage=torch.tensor([0.5]), shared=torch.ones(2))
    aim = Aim("t", (), 1, "d", distance=distance, neighbours=1)
    assert near_target(pool, target, torch.arange(2), aim, wanted=1)[0].tolist() == [nearest]


@pytest.mark.parametrize("batch", [1, 20])
def test_a_batch_compares_pool_and_target_once(
    session: Session, red: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """Defect: the neighbours and the scores of the whole pool were computed anew for every single pick."""
    searched, scored = [], []

    def nearest(*arguments: Any) -> Tensor:
        searched.append(arguments)
        return nearest_to_targets(*arguments)

    def gain(pool: Tensor, target: Tensor) -> Tensor:
        scored.append((len(pool), len(target)))
        return epig(pool, target)

    monkeypatch.setattr("probal.session.target.nearest_to_targets", nearest)
    monkeypatch.setattr(importlib.import_module("probal.acquisition.epig"), "epig", gain)
    aim = session.aim(str(red), neighbours=60)
    pool = len(session.store.images(session.project.id, role=Role.POOL))
    assert len(session.propose(batch, aim=aim)) == batch
    assert len(searched) == 1
    assert scored == [(pool, 8)]
