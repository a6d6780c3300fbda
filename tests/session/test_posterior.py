"""The loop with BayesVLM's posterior on: what it is made from, what it changes, and that no label counts twice."""

from pathlib import Path

import pytest
import torch

from probal.adapters import LaplacePosterior
from probal.errors import UserError
from probal.posterior import Damping, InfoNCE, SigLIP
from probal.session import Session, posterior_files
from probal.session.engine import Engine
from probal.session.estimate import estimator_of, likelihood_of
from probal.session.posterior_facts import describe
from probal.session.posterior_files import PosteriorRecord
from probal.session.text_pairs import TextPair
from probal.session.vectors import ProjectVectors
from probal.types import Event, EventKind, Role
from tests.session.conftest import ColourEncoder, audit_ids, label


def estimate(session: Session, pseudo_count: float = 200.0) -> PosteriorRecord:
    made = estimator_of(session.workspace, session.project).label_free(Damping.EXACT, pseudo_count)
    return posterior_files.save(session.workspace, session.project, made)


def engine_of(session: Session) -> Engine:
    vectors = ProjectVectors(session.workspace, session.project)
    return Engine(session.workspace, session.project, vectors)


@pytest.fixture
def record(session: Session) -> PosteriorRecord:
    return estimate(session)


def test_there_is_none_until_someone_makes_one(session: Session) -> None:
    assert posterior_files.current(session.workspace, session.project) is None
    fit = engine_of(session).fit()
    assert fit.tower is None
    assert fit.prior.is_exact
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    assert "posterior" not in latest.config


def test_the_whole_loop_with_a_posterior(
    session: Session, truth: dict[str, str], record: PosteriorRecord
) -> None:
    label(session, truth, audit_ids(session))
    for _ in range(3):
        label(session, truth, [each.image_id for each in session.propose(6, "epig")])
    session.propose()
    session.evaluate()
    rounds = session.store.rounds(session.project.id)
    assert [each.config.get("posterior") for each in rounds] == [None] + 4 * [record.id]
    assert [each.config.get("posterior_labels") for each in rounds[1:]] == [0, 6, 12, 18]
    curve = session.store.metrics(session.project.id, "accuracy")
    assert curve[-1].value > 0.5
    found = session.predict()
    assert found.probabilities.sum(1) == pytest.approx(1, abs=1e-4)


def test_both_towers_reach_the_model(session: Session, record: PosteriorRecord) -> None:
    engine = engine_of(session)
    fit = engine.fit()
    images = ProjectVectors(session.workspace, session.project).images(Role.POOL)
    logits, plain = engine.logits(fit, images), engine.logits(engine.fit_with(None), images)
    assert not fit.prior.is_exact
    assert logits.gain is not None
    assert bool((logits.gain > 0).all())
    # the noise of an image takes from its mean what it adds to its length
    assert bool((logits.mean.abs() <= plain.mean.abs() + 1e-4).all())


def test_the_text_towers_variance_sets_how_far_each_class_may_move(
    session: Session, record: PosteriorRecord
) -> None:
    """λ_c ∝ |t_c|² / leverage_c: a class is as free as its text is uncertain, and they differ."""
    engine = engine_of(session)
    fit = engine.fit()
    texts = engine.texts(engine.posterior(record.id))
    assert texts.leverage is not None
    size = (texts.leverage / texts.mean.square().sum(1)).double()  # [C]
    assert float(size.max() / size.min()) > 1.1
    assert isinstance(fit.posterior, LaplacePosterior)
    relative = fit.posterior.gains.double().square()
    torch.testing.assert_close(relative, size / size.log().mean().exp(), rtol=1e-5, atol=0)
    assert fit.prior.leverage is not None
    torch.testing.assert_close(fit.prior.leverage.double(), size, rtol=1e-5, atol=0)


def test_joint_draws_have_the_logits_moments_and_share_the_towers_weights(
    session: Session, record: PosteriorRecord
) -> None:
    engine = engine_of(session)
    found = engine.candidates(engine.fit())
    rows = torch.tensor([3, 0, 3])
    assert found.state.joint is not None
    assert found.state.inputs is not None
    draws = found.state.joint(found.state.inputs[rows], 1000, torch.Generator().manual_seed(0))
    logits = found.state.logits.rows(rows)
    assert torch.equal(draws[:, :, 0][0], draws[:, :, 0][2])  # one and the same image, one and the same θ
    spread = draws.var(1)  # [3,C]
    torch.testing.assert_close(draws.mean(1).double(), logits.mean.double(), atol=0.15, rtol=0.1)
    assert float(((logits.variance() - spread) / logits.variance()).abs().max()) < 0.3


def test_labels_count_once_however_often_the_model_is_fitted(
    session: Session, truth: dict[str, str], record: PosteriorRecord
) -> None:
    pool = [image.id for image in session.store.images(session.project.id, role=Role.POOL)]
    label(session, truth, pool[:8])
    engine = engine_of(session)
    counts = []
    for _ in range(3):
        engine.forget()
        tower = engine.fit().tower
        assert tower is not None
        counts.append((tower.curvature.count, tower.curvature.pseudo_count, len(tower.counted)))
    assert set(counts) == {(208.0, 200.0, 8)}
    more = label(session, truth, pool[8:10])
    label(session, truth, pool[:1])  # the same image again
    again = engine.fit().tower
    assert again is not None
    assert again.curvature.count == 210.0
    assert again.counted == set(pool[:10])
    session.record([Event("undo", EventKind.UNDO, "oracle", target_event_id=more[0])])
    undone = engine.fit().tower
    assert undone is not None
    assert undone.counted == set(pool[:10]) - {pool[8]}


def test_the_update_is_of_the_labels_own_curvature(
    session: Session, truth: dict[str, str], record: PosteriorRecord
) -> None:
    pool = session.store.images(session.project.id, role=Role.POOL)[:5]
    engine = engine_of(session)
    before = engine.fit().tower
    label(session, truth, [image.id for image in pool])
    after = engine.fit().tower
    assert before is not None
    assert after is not None
    a = engine.towers.embeddings([image.content_hash for image in pool]).double()
    torch.testing.assert_close(after.curvature.outer - before.curvature.outer, a.mT @ a)
    assert after.precision.prior_precision != before.precision.prior_precision  # re-estimated
    assert audit_ids(session)
    label(session, truth, audit_ids(session)[:3])
    third = engine.fit().tower
    assert third is not None
    assert third.counted == after.counted  # audit labels never train


def test_off_is_the_plain_model_and_on_brings_it_back(session: Session, record: PosteriorRecord) -> None:
    with_it = session.predict().probabilities
    posterior_files.switch(session.workspace, session.project, False)
    plain = session.predict().probabilities
    session.propose()
    posterior_files.switch(session.workspace, session.project, True)
    again = session.predict().probabilities
    assert (with_it == again).all()
    assert not (with_it == plain).all()
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    assert "posterior" not in latest.config
    posterior_files.remove(session.workspace, session.project)
    assert (session.predict().probabilities == plain).all()
    with pytest.raises(UserError, match="has no posterior; make one"):
        posterior_files.switch(session.workspace, session.project, True)


def test_an_old_posterior_stays_for_the_rounds_that_used_it(
    session: Session, record: PosteriorRecord
) -> None:
    session.propose()
    newer = estimate(session, pseudo_count=50.0)
    assert newer.id != record.id
    assert posterior_files.in_use(session.workspace, session.project) == newer.id
    old = engine_of(session).fit_with(record.id)
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    assert old.fingerprint == latest.adapter_fingerprint
    assert old.facts()["posterior"] == latest.config["posterior"] == record.id


def test_a_posterior_of_other_vectors_is_not_used(session: Session, record: PosteriorRecord) -> None:
    path = next(session.workspace.snapshots_dir.rglob("record.json"))
    path.write_text(path.read_text("utf-8").replace("c0102a", "beef"), "utf-8")
    with pytest.raises(UserError, match="was made for other vectors"):
        session.predict()
    path.write_text("{", "utf-8")
    with pytest.raises(UserError, match="gone or damaged"):
        Session(session.workspace, session.project.name).predict()


def test_what_it_is_made_from_and_what_it_changes(
    session: Session, truth: dict[str, str], record: PosteriorRecord
) -> None:
    label(session, truth, [session.store.images(session.project.id, role=Role.POOL)[0].id])
    session.propose()
    found = describe(session.workspace, session.project)
    assert found.on
    assert found.record == record
    assert (found.record.source, found.record.pseudo_count, found.record.count) == ("label-free", 200.0, 60.0)
    assert found.labels == 1
    assert found.image.count == 201.0
    assert found.image.uncertain == 3  # the span of three classes
    assert (found.image.columns, found.image.width) == (12, 12)
    low, middle, high = found.image.noise
    assert 0 < low <= middle <= high
    assert found.effect.images == 60
    assert found.effect.confidence[0] != found.effect.confidence[1]
    assert found.rounds == (1,)
    assert not found.prompts_changed


def test_from_pairs(session: Session, tmp_path: Path) -> None:
    images = session.store.images(session.project.id, role=Role.POOL)[:20]
    pairs = [
        TextPair(image.content_hash, tmp_path / "images" / image.path, ("red", "green", "blue")[i % 3])
        for i, image in enumerate(images)
    ]
    estimator = estimator_of(session.workspace, session.project)
    made = estimator.pairs(pairs, tmp_path / "pairs.csv", Damping.FACTORED)
    assert made.record.source == "pairs"
    assert (made.image.curvature.count, made.image.curvature.pseudo_count) == (20.0, 0.0)
    assert made.image.precision.damping is Damping.FACTORED
    assert len(made.text.precision.beta) == 12  # pairs determine all directions
    posterior_files.save(session.workspace, session.project, made)
    assert len(session.propose(4, "bald")) == 4
    with pytest.raises(UserError, match="1 pairs to measure on"):
        estimator.pairs(pairs[:1], tmp_path / "pairs.csv", Damping.EXACT)


@pytest.mark.parametrize("count", [0.0, -3.0, float("nan"), float("inf")])
def test_a_pseudo_count_is_positive(session: Session, count: float) -> None:
    with pytest.raises(UserError, match="pseudo-count must be a positive number"):
        estimate(session, count)
    assert posterior_files.current(session.workspace, session.project) is None


def test_published_factors_are_of_a_model_with_layers(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        estimator_of(session.workspace, session.project).published(tmp_path / "none", Damping.EXACT)


def test_a_model_with_a_logit_bias_has_siglips_curvature(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = estimator_of(session.workspace, session.project).label_free(Damping.EXACT, 200.0)
    monkeypatch.setattr(ColourEncoder, "logit_bias", -10.0, raising=False)
    siglip = estimator_of(session.workspace, session.project).label_free(Damping.EXACT, 200.0)
    assert likelihood_of(siglip.record) == SigLIP(15.0, -10.0)
    prototypes = ProjectVectors(session.workspace, session.project).space.prior().mean
    engine = engine_of(session)
    images = ProjectVectors(session.workspace, session.project).images(Role.POOL)
    z = engine.towers.embeddings([image.content_hash for image in images])
    expected = SigLIP(15.0, -10.0).ggn(z, prototypes) * 200.0 / len(z)
    torch.testing.assert_close(siglip.image.curvature.ggn, expected, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(siglip.image.curvature.ggn, plain.image.curvature.ggn, rtol=0.1)


def test_the_loss_comes_back_from_the_record(record: PosteriorRecord) -> None:
    assert likelihood_of(record) == InfoNCE(15.0)
