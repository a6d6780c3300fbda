"""A project's model in files: read back, it says what the session says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from probal.errors import UserError
from probal.pool.features import FeatureStore
from probal.session import Session, model_export
from probal.types import JobKind, JobState
from probal.worker import drain
from tests.session.conftest import ColourEncoder, audit_ids, label


@pytest.fixture
def labeled(session: Session, truth: dict[str, str]) -> Session:
    label(session, truth, [each.image_id for each in session.propose(12)])
    label(session, truth, audit_ids(session)[:9])
    session.propose()
    session.evaluate()
    return session


def vectors(session: Session, hashes: list[str]) -> np.ndarray:
    store = FeatureStore(session.workspace.features_dir, ColourEncoder.fingerprint, ColourEncoder.width)
    return store.read(hashes)


def test_weights_graph_and_table_agree_with_the_session(labeled: Session, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = model_export.export(labeled, ["csv", "adapter", "onnx", "predictions"], out)
    assert str(report) == (
        "21 labels as csv and 3 classes as adapter and 3 classes as onnx and 90 predictions as predictions"
    )
    expected = labeled.predict()
    table = pd.read_parquet(out / "predictions.parquet")
    assert list(table["content_hash"]) == [image.content_hash for image in expected.images]
    own = table[[f"p({name})" for name in expected.class_names]].to_numpy()
    assert np.allclose(own, expected.probabilities, atol=1e-7)
    assert np.allclose(own.sum(1), 1, atol=1e-5)
    assert len(pd.read_csv(out / "predictions.csv")) == 90

    raw = vectors(labeled, list(table["content_hash"]))
    np.save(tmp_path / "vectors.npy", raw)
    printed = subprocess.run(
        [sys.executable, "-I", out / "adapter" / "predict.py", tmp_path / "vectors.npy"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    ).stdout.splitlines()
    rows = [line.split(",") for line in printed]
    assert [row[0] for row in rows] == list(table["predicted"])
    assert np.allclose(np.array([row[1:] for row in rows], float), expected.probabilities, atol=1e-5)

    graph = onnxruntime.InferenceSession(out / "adapter.onnx", providers=["CPUExecutionProvider"])
    assert np.allclose(graph.run(["probabilities"], {"vectors": raw})[0], expected.probabilities, atol=1e-5)


def test_the_card_says_what_the_model_is_and_how_good(labeled: Session, tmp_path: Path) -> None:
    model_export.export(labeled, ["adapter"], tmp_path / "out")
    card = (tmp_path / "out" / "adapter" / "README.md").read_text("utf-8")
    metric = labeled.store.metrics(labeled.project.id, "accuracy")[-1]
    assert f"{metric.value:.1%} on 9 images drawn at random" in card
    for text in ("colours: an adapter for 3 classes", "`c0102a`", "12 to learn from"):
        assert text in card
    assert "Classes without a label" not in card


def test_a_model_without_any_label_is_its_prior(session: Session, tmp_path: Path) -> None:
    report = model_export.export(session, ["adapter"], tmp_path / "out")
    assert report.counts == {"adapter": 3}
    card = (tmp_path / "out" / "adapter" / "README.md").read_text("utf-8")
    assert "not measured yet" in card
    assert "known by their name alone: red, green, blue" in card
    with pytest.raises(UserError, match="no label to export yet"):
        model_export.export(session, ["adapter", "csv"], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_the_worker_writes_the_files_and_notes_the_export(labeled: Session) -> None:
    store, project = labeled.store, labeled.project
    store.enqueue(project.id, JobKind.MODEL)
    assert {job.state for job in drain(labeled.workspace, project)} == {JobState.DONE}
    record = store.exports(project.id)[0]
    assert record.formats == ("adapter", "onnx", "predictions")
    assert Path(record.path).parent == labeled.workspace.exports_dir
    assert sorted(each.name for each in Path(record.path).iterdir()) == [
        "adapter",
        "adapter.onnx",
        "predictions.csv",
        "predictions.parquet",
    ]
