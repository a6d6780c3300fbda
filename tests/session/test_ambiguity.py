"""ProbVLM in the loop: trained on the labels, in each proposal's reason, and as a strategy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from probal.errors import UserError
from probal.label_import.captions import Caption
from probal.probvlm import ambiguity_threshold
from probal.session import Session
from probal.session.ambiguity import SETTING, ambiguous_images, project_probvlm, trained_probvlm
from probal.session.probvlm_training import rank_for_pool, settings_for, train_probvlm
from probal.session.text_pairs import TextPair
from probal.session.vectors import ProjectVectors
from probal.types import Role
from probal.workspace import Workspace
from tests.session.conftest import ColourEncoder, audit_ids, label


def silent(done: int, total: int, what: str) -> None:
    pass


def pool_ids(session: Session) -> list[int]:
    return [image.id for image in session.store.images(session.project.id, role=Role.POOL)]


@pytest.fixture
def trained(session: Session, truth: dict[str, str]) -> Session:
    label(session, truth, pool_ids(session)[:50])
    train_probvlm(session.workspace, session.project, [], silent)
    return session


def test_before_training_a_reason_has_no_ambiguity_and_the_strategy_says_what_to_do(session: Session) -> None:
    assert {each.reason.ambiguity for each in session.propose(5)} == {None}
    with pytest.raises(UserError, match="probal probvlm train"):
        session.propose(5, "probvlm")
    with pytest.raises(UserError, match=r"not there yet; run: probal probvlm train colours"):
        ambiguous_images(session.workspace, session.project, 0.1)


def test_too_few_labels_are_refused_with_their_number(session: Session, truth: dict[str, str]) -> None:
    label(session, truth, pool_ids(session)[:12])
    with pytest.raises(UserError, match=r"at least 40 .* there are 12: label 28 more, or give captions"):
        train_probvlm(session.workspace, session.project, [], silent)
    assert session.store.get_setting(session.project.id, SETTING) is None


def test_every_reason_carries_ambiguity_once_trained(trained: Session) -> None:
    found = project_probvlm(trained.workspace, trained.project, ColourEncoder.fingerprint)
    assert found is not None
    images = {image.id: image for image in trained.store.images(trained.project.id)}
    for each in trained.propose(6):
        x = ProjectVectors(trained.workspace, trained.project).read([images[each.image_id]])
        assert each.reason.ambiguity == pytest.approx(float(found.model.image_density(x).variance().mean()))
        assert each.reason.ambiguity_percentile is not None
        assert 0 <= each.reason.ambiguity_percentile <= 100


def test_percentiles_are_places_among_the_pool(trained: Session) -> None:
    found = trained_probvlm(
        ProjectVectors(trained.workspace, trained.project), trained.workspace, trained.project
    )
    listed = ambiguous_images(trained.workspace, trained.project, 0.1)
    assert len(listed) == len(pool_ids(trained))
    values = [each.ambiguity for each in listed]
    assert values == sorted(values, reverse=True)
    assert listed[0].percentile == pytest.approx(100)
    assert listed[-1].percentile == pytest.approx(0)
    assert listed[len(listed) // 2].percentile == pytest.approx(50, abs=3)
    threshold = ambiguity_threshold(found.model, 0.1)
    assert [each.flagged for each in listed] == [value > threshold for value in values]


def test_the_strategy_ranks_the_candidates_by_what_a_label_teaches(trained: Session) -> None:
    picks = trained.propose(6, "probvlm")
    assert {each.reason.strategy for each in picks} == {"probvlm"}
    vectors = ProjectVectors(trained.workspace, trained.project)
    found = trained_probvlm(vectors, trained.workspace, trained.project)
    images, x = vectors.pool()
    score = dict(zip((image.id for image in images), found.score(x).tolist(), strict=True))
    labeled = {each.image_id for each in trained.store.current_labels(trained.project.id)}
    best = sorted((i for i in score if i not in labeled), key=lambda i: -score[i])
    assert [each.image_id for each in picks] == best[:6]
    assert [each.reason.score for each in picks] == pytest.approx([score[i] for i in best[:6]], rel=1e-4)


def test_a_score_does_not_depend_on_the_other_images(trained: Session) -> None:
    vectors = ProjectVectors(trained.workspace, trained.project)
    found = trained_probvlm(vectors, trained.workspace, trained.project)
    x = vectors.pool()[1]
    torch.testing.assert_close(found.score(x[7:9]), found.score(x)[7:9])


def test_audit_labels_do_not_train(session: Session, truth: dict[str, str]) -> None:
    label(session, truth, audit_ids(session))
    label(session, truth, pool_ids(session)[:45])
    images = {image.id: image for image in session.store.images(session.project.id)}
    captions = [Caption(images[i].path, "a colour", Path()) for i in audit_ids(session)[:4]]
    found, left_out = train_probvlm(session.workspace, session.project, captions, silent)
    assert (found.training.labels, found.training.captions, left_out) == (45, 0, 4)


def test_a_second_training_replaces_the_first_file(trained: Session) -> None:
    first = trained.store.get_setting(trained.project.id, SETTING)["file"]
    train_probvlm(trained.workspace, trained.project, [], silent)
    folder = trained.workspace.snapshots_dir / str(trained.project.id)
    (left,) = folder.glob("probvlm-*.safetensors")
    assert left != trained.workspace.path / first
    assert left == trained.workspace.path / trained.store.get_setting(trained.project.id, SETTING)["file"]


def test_a_model_of_other_vectors_is_none(trained: Session) -> None:
    assert project_probvlm(trained.workspace, trained.project, "0ther") is None
    path = trained.workspace.path / trained.store.get_setting(trained.project.id, SETTING)["file"]
    path.unlink()
    assert project_probvlm(trained.workspace, trained.project, ColourEncoder.fingerprint) is None
    with pytest.raises(UserError, match="its file is gone"):
        trained_probvlm(
            ProjectVectors(trained.workspace, trained.project), trained.workspace, trained.project
        )


def pairs(n: int, texts: int) -> list[TextPair]:
    return [TextPair(f"{i:064x}", Path(f"{i}.png"), str(i % texts)) for i in range(n)]


@pytest.mark.parametrize(("n", "texts", "by_text"), [(40, 2, False), (60, 10, False), (500, 500, True)])
def test_what_is_held_out_suffices_for_a_flag_and_follows_the_texts(
    n: int, texts: int, by_text: bool
) -> None:
    settings = settings_for(pairs(n, texts))
    assert settings.held_out_texts is by_text
    assert round(settings.held_out * n) >= 20
    assert settings.held_out <= 0.5


def test_one_text_for_all_is_refused() -> None:
    with pytest.raises(UserError, match="one and the same text"):
        settings_for(pairs(50, 1))


class BlindEncoder(ColourEncoder):
    """Sees colours through noise of its own, so its vectors say little."""

    fingerprint = "b11d"

    def prepare(self, image):  # type: ignore[no-untyped-def]
        seen = super().prepare(image)
        noise = torch.randn(12, generator=torch.Generator().manual_seed(int(1e6 * seen.sum())))
        return (seen + noise.numpy()).astype("float32")


def test_encoders_are_ranked_by_their_certainty(
    workspace: Workspace, session: Session, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    label(session, truth, pool_ids(session)[:50])
    made: dict[str, Callable[[], ColourEncoder]] = {"open_clip:a": BlindEncoder, "open_clip:b": ColourEncoder}
    monkeypatch.setattr("probal.session.probvlm_training.load_encoder", lambda name: made[name]())
    monkeypatch.setattr("probal.session.probvlm_training.check_encoder_id", lambda name: None)
    ranked = rank_for_pool(workspace, session.project, list(made), [], silent)
    assert [each.encoder for each in ranked] == ["open_clip:b", "open_clip:a"]
    assert session.store.get_setting(session.project.id, SETTING) is None  # nothing of it is kept
    with pytest.raises(UserError, match="at least two"):
        rank_for_pool(workspace, session.project, ["open_clip:a", "open_clip:a"], [], silent)


def test_the_pairs_name_an_image_that_is_nowhere(session: Session) -> None:
    captions = [Caption("gone.png", "a square", Path("/nowhere"))]
    with pytest.raises(UserError, match=r"'gone.png', which is neither in the project nor in /nowhere"):
        train_probvlm(session.workspace, session.project, captions, silent)
