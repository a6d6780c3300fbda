"""The worker fulfils what pages ask for, and tells what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from probal import finish_plan, orders, worker
from probal.posterior import Damping
from probal.session import Session, ambiguity, posterior_files
from probal.session.orders import fulfil, spearman, standing_aim
from probal.session.probvlm_training import FEWEST_PAIRS
from probal.types import JobKind, JobState, Role
from probal.ui import probvlm_view
from tests.session.conftest import SKEWED, audit_ids, draw_pool, label


def quiet(done: int, total: int, message: str) -> None:
    """Nobody watches."""


def test_names_are_those_of_the_engine() -> None:
    assert (orders.POSTERIOR, orders.PROBVLM) == (posterior_files.SETTING, ambiguity.SETTING)
    assert set(orders.DAMPINGS) == {str(each) for each in Damping}
    assert probvlm_view.FEWEST_PAIRS == FEWEST_PAIRS


def test_the_evidence_of_a_finish_comes_from_a_job(session: Session, truth: dict[str, str]) -> None:
    label(session, truth, audit_ids(session))
    worker.drain(session.workspace, session.project)
    session.store.enqueue(session.project.id, JobKind.FINISH)
    (job,) = worker.drain(session.workspace, session.project)
    assert (job.state, job.error) == (JobState.DONE, None)
    found = finish_plan.Evidence.load(finish_plan.evidence_path(session.workspace, session.project))
    assert found is not None
    assert found.tested.sum() == 30
    assert found.event_watermark == session.store.watermark(session.project.id)


def test_a_posterior_is_made_shown_and_used_only_when_told(session: Session) -> None:
    store, project = session.store, session.project
    orders.ask_posterior(store, project, orders.PosteriorOrder())
    (job,) = [each for each in worker.drain(session.workspace, project) if each.kind is JobKind.POSTERIOR]
    assert (job.state, job.error) == (JobState.DONE, None)
    assert orders.posterior_in_use(store, project) is False
    facts = orders.posterior_facts(store, project)
    assert facts is not None
    assert facts["images"] == 60
    assert len(facts["confidence"]) == 2
    orders.use_posterior(store, project, True)
    worker.drain(session.workspace, project)
    latest = store.latest_round(project.id)
    assert latest is not None
    assert latest.config["posterior"] == facts["id"]


def test_too_few_labels_for_probvlm_end_in_a_sentence(session: Session) -> None:
    session.store.enqueue(session.project.id, JobKind.PROBVLM)
    (job,) = [
        each for each in worker.drain(session.workspace, session.project) if each.kind is JobKind.PROBVLM
    ]
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert f"at least {FEWEST_PAIRS}" in job.error


def test_probvlm_tells_what_it_adds(session: Session, truth: dict[str, str]) -> None:
    pool = [image.id for image in session.store.images(session.project.id, role=Role.POOL)]
    label(session, truth, pool[:45])
    fulfil(session, JobKind.PROBVLM, quiet)
    gain = orders.probvlm_gain(session.store, session.project)
    assert gain is not None
    assert gain["images"] == 60
    assert -1 <= gain["correlation"] <= 1
    audit = {image.content_hash for image in session.store.images(session.project.id, role=Role.AUDIT)}
    assert len(gain["most"]) == len(gain["least"]) == 12
    assert not audit & {*gain["most"], *gain["least"]}
    assert not {*gain["most"]} & {*gain["least"]}


def test_probvlm_learns_from_captions_alone_and_leaves_the_audits_out(
    session: Session, tmp_path: Path
) -> None:
    images = session.store.images(session.project.id)
    told = {image.path: list(SKEWED)[i % 3] for i, image in enumerate(images)}
    file = tmp_path / "captions.csv"
    file.write_text("path,caption\n" + "".join(f"{path},{text}\n" for path, text in told.items()))
    orders.ask_probvlm(session.store, session.project, str(file))
    (job,) = [
        each for each in worker.drain(session.workspace, session.project) if each.kind is JobKind.PROBVLM
    ]
    assert (job.state, job.error) == (JobState.DONE, None)
    trained = orders.probvlm_training(session.store, session.project)
    gain = orders.probvlm_gain(session.store, session.project)
    assert trained is not None
    assert gain is not None
    assert (trained["labels"], trained["captions"], gain["left_out"]) == (0, 60, 30)


def test_an_aimed_project_asks_about_its_target(session: Session, tmp_path: Path) -> None:
    assert standing_aim(session) is None
    draw_pool(tmp_path / "target", 12, seed=5)
    orders.aim_at(session.store, session.project, str(tmp_path / "target"))
    assert {each.state for each in worker.drain(session.workspace, session.project)} == {JobState.DONE}
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    assert latest.strategy == "epig"
    assert latest.config["target"]["images"] == 12


def test_spearman_is_scipys_and_a_constant_says_nothing() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 8, 50).astype(float), rng.normal(size=50)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert spearman(np.ones(50), b) == 0
