"""What the engine found out, read back from the store without a model."""

from pathlib import Path

import pytest
from safetensors import safe_open

from probal import advice
from probal.classes import ClassEditor
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


def test_an_evaluation_reads_each_snapshot_once_and_no_weights(
    session: Session, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    label(session, truth, audit_ids(session))
    session.propose(6)
    read: list[tuple[str, str]] = []

    class Watched:
        def __init__(self, path: Path, framework: str) -> None:
            self._path, self._open = path, safe_open(path, framework=framework)

        def __enter__(self) -> "Watched":
            self._file = self._open.__enter__()
            return self

        def __exit__(self, *error: object) -> None:
            self._open.__exit__(*error)

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

        def get_tensor(self, name: str) -> object:
            read.append((self._path.name, name))
            return self._file.get_tensor(name)

    session.refit()
    monkeypatch.setattr("probal.tensor_file.safe_open", Watched)
    session.evaluate()
    assert sorted(read) == [
        (f"round-0000{index}.safetensors", name)
        for index in (0, 1)
        for name in ("class_ids", "held_out_ids", "held_out_probabilities")
    ]


def test_classes_merged_since_agree_with_the_one_they_were_merged_into(
    session: Session, truth: dict[str, str]
) -> None:
    store, project = session.store, session.project
    label(session, truth, [*audit_ids(session), *[each.image_id for each in session.propose(6)]])
    called = []
    for merge in (False, True):
        if merge:
            ClassEditor(store, project).merge("green", "red")
        session.propose(6)
        session.evaluate()
        kept = store.get_setting(project.id, "pool_calls")
        called.append(dict(zip(kept["image_ids"], kept["class_ids"], strict=True)))
    then, now = called
    common = then.keys() & now.keys()
    green, red = (
        next(c.id for c in store.classes(project.id, True) if c.name == n) for n in ("green", "red")
    )
    assert green in then.values()
    assert green not in now.values()
    same = sum(now[i] == (red if then[i] == green else then[i]) for i in common)
    assert kept["agreement"] == same / len(common)


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
