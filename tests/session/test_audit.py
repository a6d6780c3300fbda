"""No image that a model may have been fitted on, or that was proposed, ever measures."""

from pathlib import Path

import pytest

from probal.evaluation import draw_audit
from probal.session import Session
from probal.types import ImageInfo, Role
from probal.workspace import Workspace
from tests.session.conftest import COLOURS, audit_ids, draw_pool, label


@pytest.fixture
def truth(tmp_path: Path) -> dict[str, str]:
    return draw_pool(tmp_path / "images", 40)


def images_of(session: Session, role: Role) -> list[ImageInfo]:
    return session.store.images(session.project.id, role=role)


def by_key(session: Session) -> list[Path]:
    """Files of the audit, in the order of its draw."""
    path = {image.content_hash: image.path for image in images_of(session, Role.AUDIT)}
    root = Path(session.project.config.image_root or "")
    return [root / path[each] for each in draw_audit(path, len(path), session.project.config.seed)]


def away(files: list[Path]) -> dict[Path, bytes]:
    content = {path: path.read_bytes() for path in files}
    for path in files:
        path.unlink()
    return content


def train(session: Session, truth: dict[str, str]) -> set[int]:
    """Label the readable pool; its ids."""
    pool = [image.id for image in images_of(session, Role.POOL)]
    label(session, truth, pool)
    session.propose(1)
    return set(pool)


def test_images_trained_on_while_audit_files_were_gone(
    session: Session, truth: dict[str, str], tmp_path: Path
) -> None:
    drawn = set(audit_ids(session))
    content = away(by_key(session)[-8:])
    truth |= draw_pool(tmp_path / "images", 20, seed=5)
    session.prepare()
    trained = train(session, truth)
    for path, data in content.items():
        path.write_bytes(data)
    session.prepare()
    assert not trained & set(audit_ids(session))
    assert len(drawn & set(audit_ids(session))) >= 18  # half of the pool at most: the last ones may leave


def test_an_audit_that_is_gone_is_drawn_again_from_new_images_only(
    session: Session, truth: dict[str, str], tmp_path: Path
) -> None:
    trained = train(session, truth)
    away(by_key(session))
    truth |= draw_pool(tmp_path / "images", 40, seed=5)
    session.prepare()
    there = [path for path in by_key(session) if path.exists()]
    assert len(there) > 10
    assert not trained & set(audit_ids(session))


def test_a_pool_of_one_image_gets_its_audit_from_those_that_come(
    workspace: Workspace, tmp_path: Path
) -> None:
    truth = draw_pool(tmp_path / "one", 1)
    session = Session(
        workspace,
        workspace.create_project("one", images=tmp_path / "one", classes=list(COLOURS), batch_size=6).name,
    )
    session.prepare()
    assert audit_ids(session) == []
    trained = train(session, truth)
    truth |= draw_pool(tmp_path / "one", 39, seed=5)
    for _ in range(2):  # preparing again draws nothing more
        session.prepare()
        assert len(audit_ids(session)) == 20
        assert not trained & set(audit_ids(session))


def test_an_audit_image_that_a_round_proposed_leaves(session: Session) -> None:
    proposed = session.propose(1)[0].image_id
    session.store.set_role(session.project.id, [proposed], Role.AUDIT)
    away(by_key(session)[:2])  # as many are left as may be
    session.prepare()
    assert proposed not in audit_ids(session)
    assert len(audit_ids(session)) == 20


def test_labels_from_before_the_first_round_keep_nothing_out(
    workspace: Workspace, truth: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = workspace.create_project("colours", images=tmp_path / "images", classes=list(COLOURS))
    session = Session(workspace, project.name)
    with monkeypatch.context() as patched:
        patched.setattr("probal.session.prepare._reserve_audit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            session.prepare()
    label(session, truth, [image.id for image in images_of(session, Role.POOL)])
    session.prepare()
    assert len(audit_ids(session)) == 20
