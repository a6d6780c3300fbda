"""What the engine found out, read back from the store without a model."""

from pathlib import Path

from probal import advice
from probal.evaluation import Verdict
from probal.labeling import status
from probal.session import Session
from probal.types import Project
from probal.workspace import Workspace
from tests.session.conftest import audit_ids, draw_pool, label


def test_advice_comes_with_the_measurement_and_reaches_the_status(
    session: Session, truth: dict[str, str]
) -> None:
    store, project = session.store, session.project
    assert advice.stopping(store, project) is None
    label(session, truth, audit_ids(session))
    session.evaluate()
    first = advice.stopping(store, project)
    assert first is not None
    assert (first.verdict, first.n, first.agreement) == (Verdict.TOO_EARLY, 30, None)
    for _ in range(4):
        latest = store.latest_round(project.id)
        assert latest is not None
        label(session, truth, [p.image_id for p in store.proposals(latest.id)[:6]])
        session.propose()
        session.evaluate()
    last = advice.stopping(store, project)
    assert last is not None
    assert last.verdict is not Verdict.TOO_EARLY
    assert last.labels == 24
    assert last.agreement is not None
    assert [each.labels for each in last.projected] == [50, 100, 200]
    accuracy = store.metrics(project.id, "accuracy")[-1]
    assert last.low <= accuracy.value <= last.high
    # looks at all rounds cost width
    assert accuracy.low is not None
    assert last.low < accuracy.low
    assert status(store, project).stopping == last.to_dict()
    session.evaluate()  # the same round measured again says the same
    assert advice.stopping(store, project) == last


def test_images_of_another_kind_raise_a_warning(
    workspace: Workspace, project: Project, session: Session, tmp_path: Path
) -> None:
    store = workspace.store
    draw_pool(tmp_path / "images", 30, seed=5)
    Session(workspace, project.name).prepare()
    alike = advice.drift(store, project)
    assert alike is not None
    assert (alike.n_first, alike.n_new, alike.warning) == (90, 30, None)

    draw_pool(tmp_path / "images", 60, seed=6, tint=(120, 120, -150))
    Session(workspace, project.name).prepare()
    found = advice.drift(store, project)
    assert found is not None
    assert (found.n_first, found.n_new) == (90, 90)
    assert found.warning is not None
    assert found.p_value <= 0.01
    drifted = status(store, project).drift
    assert drifted is not None
    assert drifted["warning"] == found.warning
