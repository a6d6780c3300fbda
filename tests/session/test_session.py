"""The loop on a drawn pool: what each step writes, and what it must never do."""

import importlib.metadata
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from probal.acquisition.scores import Uncertainty, uncertainty
from probal.errors import UserError
from probal.gaussian import GaussianLogits
from probal.labeling import status
from probal.session import Session
from probal.session.snapshot import read_held_out, snapshot_path
from probal.types import Event, EventKind, ImageState, JobKind, JobState, Role
from probal.workspace import Workspace
from tests.session.conftest import COLOURS, audit_ids, draw_pool, label


def test_preparation_ends_with_a_proposed_round_and_a_blind_audit(session: Session) -> None:
    images = session.store.images(session.project.id)
    roles = [image.role for image in images]
    assert roles.count(Role.AUDIT) == 30
    assert roles.count(Role.POOL) == 60
    first = session.store.latest_round(session.project.id)
    assert first is not None
    assert (first.index, first.n_labels, first.n_train) == (0, 0, 0)
    proposals = session.store.proposals(first.id)
    assert len(proposals) == 24  # four batches of six
    audit = set(audit_ids(session))
    assert not audit & {proposal.image_id for proposal in proposals}
    assert all(sum(p for _, p in each.predicted) == pytest.approx(1, abs=1e-4) for each in proposals)


def test_what_auto_decided_stands_in_the_round_and_is_told(session: Session, truth: dict[str, str]) -> None:
    before = status(session.store, session.project)
    assert before.decision is not None
    assert before.decision.startswith("No label covers anything yet")
    first = session.store.latest_round(session.project.id)
    assert first is not None
    label(session, truth, [each.image_id for each in session.store.proposals(first.id)])
    session.propose()
    after = status(session.store, session.project)
    assert before.decided is not None
    assert after.decided is not None
    assert before.decided["covered"] == 0 < after.decided["covered"] < 1
    assert after.decision is not None
    assert after.decision.startswith(
        f"Labels so far cover {after.decided['covered']:.0%} of the other images"
    )
    session.propose(strategy="random")
    assert status(session.store, session.project).decided is None


def test_preparing_again_changes_nothing(session: Session) -> None:
    before = session.store.images(session.project.id), session.store.rounds(session.project.id)
    session.prepare()
    assert (session.store.images(session.project.id), session.store.rounds(session.project.id)) == before


def test_the_curve_climbs_and_every_round_is_measured_on_the_same_audit(
    session: Session, truth: dict[str, str]
) -> None:
    label(session, truth, audit_ids(session))
    for _ in range(4):
        latest = session.store.latest_round(session.project.id)
        assert latest is not None
        label(session, truth, [p.image_id for p in session.store.proposals(latest.id)[:6]])
        session.refit()
        session.propose()
        session.evaluate()
    curve = session.store.metrics(session.project.id, "accuracy")
    assert [point.round_index for point in curve] == [0, 1, 2, 3, 4]
    assert {point.n for point in curve} == {30}
    assert [point.labels for point in curve] == [0, 36, 42, 48, 54]
    assert curve[-1].value > curve[0].value + 0.05
    for point in curve:
        assert point.low is not None
        assert point.high is not None
        assert point.low <= point.value <= point.high
        assert not point.preliminary
        assert point.detail["source"] == "audit"


def test_few_audit_labels_are_preliminary_and_enough_bring_the_random_control(
    session: Session, truth: dict[str, str]
) -> None:
    label(session, truth, audit_ids(session)[:5])
    session.propose()
    assert all(metric.preliminary for metric in session.evaluate())
    label(session, truth, audit_ids(session)[5:])
    session.propose()
    control = [metric for metric in session.evaluate() if metric.name == "random_control_accuracy"]
    assert [(metric.labels, metric.n) for metric in control] == [(24, 30)]
    assert control[0].value > 1 / 3


def test_without_any_held_out_label_nothing_is_claimed(session: Session) -> None:
    assert session.evaluate() == []
    assert {each.name for each in session.store.metrics(session.project.id)} == {"pool_uncertainty"}


def test_the_last_round_says_what_it_mixes_up_and_how_sure_it_was(
    session: Session, truth: dict[str, str]
) -> None:
    label(session, truth, audit_ids(session))
    found = {metric.name: metric for metric in session.evaluate()}
    confusion, calibration = found["confusion"], found["debiased_ece"]
    counts = confusion.detail["counts"]
    assert sum(n for _, _, n in counts) == 30
    assert sum(n for own, called, n in counts if own == called) == round(30 * found["accuracy"].value)
    names = {each.id: each.name for each in session.classes}
    audit = session.store.images(session.project.id, role=Role.AUDIT)
    for class_id, name in names.items():
        assert sum(n for own, _, n in counts if own == class_id) == sum(
            truth[each.path] == name for each in audit
        )
    assert sum(n for _, _, n in calibration.detail["bins"]) == 30
    (unsure,) = session.store.metrics(session.project.id, "pool_uncertainty")
    predicted = session.predict(Role.POOL)
    assert unsure.n == len(predicted.images) == 60
    assert unsure.value == pytest.approx(predicted.total.mean(), rel=1e-5)
    assert unsure.detail["aleatoric"] == pytest.approx(predicted.aleatoric.mean(), rel=1e-5)


def test_audit_labels_never_train(session: Session, truth: dict[str, str]) -> None:
    before = session.refit().tensors()["weights"]
    label(session, truth, audit_ids(session))
    assert torch.equal(session.refit().tensors()["weights"], before)


def test_proposals_leave_labeled_flagged_and_pending_images_alone(
    session: Session, truth: dict[str, str]
) -> None:
    pool = [image.id for image in session.store.images(session.project.id, role=Role.POOL)]
    label(session, truth, pool[:20])
    session.record(
        [Event(f"f{i}", EventKind.FLAG, "oracle", image_id=i, flag_reason="ambiguous") for i in pool[20:30]]
    )
    leased = session.store.lease(session.project.id, "ann", "tab", 5, datetime.now(UTC))
    proposed = {proposal.image_id for proposal in session.propose(100)}
    held = {item.image_id for item in leased if item.proposal_id is not None}
    assert held
    assert proposed == set(pool[30:]) - held
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    assert set(latest.pending_ids) == held


def test_bald_takes_its_scores_from_the_pass_that_every_round_makes(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []

    def counted(logits: GaussianLogits) -> Uncertainty:
        passes.append(len(logits))
        return uncertainty(logits)

    monkeypatch.setattr("probal.acquisition.base.uncertainty", counted)
    pool = len(session.store.images(session.project.id, role=Role.POOL))
    for strategy in ("random", "bald", "balanced-bald"):
        session.propose(4, strategy)
    assert passes == 3 * [pool]


def test_a_round_can_be_replayed_from_its_record(session: Session, truth: dict[str, str]) -> None:
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    label(session, truth, [p.image_id for p in session.store.proposals(latest.id)[:6]])
    first = session.propose()
    written = session.store.latest_round(session.project.id)
    assert written is not None
    again = Session(session.workspace, session.project.name)
    again.propose()
    repeated = again.store.latest_round(session.project.id)
    assert repeated is not None
    for field in (
        "adapter_fingerprint",
        "encoder_fingerprint",
        "event_watermark",
        "candidate_hash",
        "n_train",
    ):
        assert getattr(repeated, field) == getattr(written, field)
    assert written.seed != repeated.seed
    assert set(written.timings) == {"fit", "score", "select"}
    assert written.versions["torch"] == importlib.metadata.version("torch")
    assert len(first) == 24


def test_an_undone_label_is_forgotten_by_the_next_fit(session: Session, truth: dict[str, str]) -> None:
    before = session.refit().tensors()["weights"]
    pool = session.store.images(session.project.id, role=Role.POOL)
    (event,) = label(session, truth, [pool[0].id])
    assert not torch.equal(session.refit().tensors()["weights"], before)
    session.record([Event("undo", EventKind.UNDO, "oracle", target_event_id=event)])
    assert torch.equal(session.refit().tensors()["weights"], before)


def test_a_batch_of_labels_asks_for_a_refit(session: Session, truth: dict[str, str]) -> None:
    pool = session.store.images(session.project.id, role=Role.POOL)
    label(session, truth, [image.id for image in pool[:5]])
    assert [job.state for job in session.store.jobs(session.project.id) if job.kind is JobKind.REFIT] == []
    label(session, truth, [pool[5].id])
    jobs = [job for job in session.store.jobs(session.project.id) if job.kind is JobKind.REFIT]
    assert [job.state for job in jobs] == [JobState.QUEUED]


def test_a_grown_pool_embeds_the_new_images_and_extends_the_audit(
    session: Session, truth: dict[str, str], tmp_path: Path
) -> None:
    audit = set(audit_ids(session))
    centre = next((session.workspace.snapshots_dir / str(session.project.id)).glob("centre.npy")).read_bytes()
    draw_pool(tmp_path / "images", 300, seed=5)
    session.prepare()
    # uniform over old and new images alike: the old share was a third, the new one a tenth, so some leave
    grown = set(audit_ids(session))
    assert grown & audit
    assert grown - audit
    assert len(grown) == 39
    assert len(session.store.images(session.project.id, state=ImageState.OK)) == 390
    assert (
        next((session.workspace.snapshots_dir / str(session.project.id)).glob("centre.npy")).read_bytes()
        == centre
    )


def test_predictions_cover_pool_and_audit(session: Session) -> None:
    found = session.predict()
    assert len(found.images) == 90
    assert found.class_names == tuple(COLOURS)
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found.total, found.aleatoric + found.epistemic, atol=1e-5)


def test_snapshots_hold_the_predictions_for_the_audit(session: Session) -> None:
    saved = read_held_out(snapshot_path(session.workspace, session.project, 0))
    assert saved is not None
    assert set(saved.image_ids.tolist()) == set(audit_ids(session))
    assert saved.probabilities.shape == (30, 3)


def test_a_test_set_measures_from_round_zero_and_needs_no_audit(
    workspace: Workspace, truth: dict[str, str], tmp_path: Path
) -> None:
    test = dict(list(truth.items())[:40])
    workspace.create_project("tested", images=tmp_path / "images", classes=list(COLOURS), test_labels=test)
    session = Session(workspace, "tested")
    session.prepare()
    session.prepare()  # labels of the test set are recorded once
    assert audit_ids(session) == []
    (point,) = session.store.metrics(session.project.id, "accuracy")
    assert (point.labels, point.n, point.detail["source"]) == (0, 40, "test")
    assert len(session.store.current_labels(session.project.id, Role.TEST)) == 40
    assert session.refit().hyperparameters()  # and no label of it trains
    latest = session.store.latest_round(session.project.id)
    assert latest is not None
    assert latest.n_train == 0


def test_steps_before_preparation_say_what_to_run(
    workspace: Workspace, truth: dict[str, str], tmp_path: Path
) -> None:
    workspace.create_project("early", images=tmp_path / "images", classes=list(COLOURS))
    with pytest.raises(UserError, match="probal embed early"):
        Session(workspace, "early").propose()
    with pytest.raises(UserError, match="early"):
        Session(workspace, "nobody")


def test_export_writes_the_labels(session: Session, truth: dict[str, str], tmp_path: Path) -> None:
    pool = session.store.images(session.project.id, role=Role.POOL)
    label(session, truth, [image.id for image in pool[:4]])
    report = session.export(["csv", "imagefolder"], tmp_path / "out")
    assert set(report.counts.values()) == {4}
    assert len(session.store.exports(session.project.id)) == 1
