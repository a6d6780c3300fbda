"""Every adapter as plain arrays and as an ONNX graph: the probabilities of ProbAL's own predictive."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.numpy import save_file
from torch.nn.functional import normalize

from probal.acquisition import uncertainty
from probal.adapters import ADAPTERS, AdapterPosterior, load_adapter
from probal.gaussian import GaussianEmbedding
from probal.session.onnx_model import write_onnx
from probal.session.portable import SCRIPT, PortableAdapter, portable

D, C, N = 11, 5, 23
CLASSES = [f"class {c}, ä" for c in range(C)]


def fitted(adapter: str, n: int, varied: bool = False) -> AdapterPosterior:
    generator = torch.Generator().manual_seed(n)
    means = normalize(torch.randn(C, D, generator=generator))
    y = torch.randint(C, (n,), generator=generator)
    x = normalize(means[y] + 0.5 * torch.randn(n, D, generator=generator))
    shared = torch.rand(D, generator=generator) + 0.1
    prior = GaussianEmbedding(means)
    if varied:
        prior = GaussianEmbedding(means, leverage=torch.rand(C, generator=generator) + 0.2, shared=shared)
    return load_adapter(adapter, 15.0).fit(x, y, prior)


def exact(posterior: AdapterPosterior, raw: np.ndarray, centre: np.ndarray) -> np.ndarray:
    unit = normalize(torch.from_numpy(raw - centre))
    return uncertainty(posterior.logits(unit)).predictive.numpy()


def by_script(adapter: PortableAdapter, folder: Path, raw: np.ndarray) -> np.ndarray:
    save_file(adapter.arrays(), folder / "adapter.safetensors", {"classes": json.dumps(CLASSES)})
    (folder / "predict.py").write_text(SCRIPT)
    return runpy.run_path(str(folder / "predict.py"))["predict"](raw)


def by_onnx(adapter: PortableAdapter, folder: Path, raw: np.ndarray) -> np.ndarray:
    write_onnx(folder / "adapter.onnx", adapter, CLASSES)
    session = onnxruntime.InferenceSession(folder / "adapter.onnx", providers=["CPUExecutionProvider"])
    probabilities, label = session.run(None, {"vectors": raw})
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == CLASSES
    assert (label == probabilities.argmax(1)).all()
    return probabilities


@pytest.mark.parametrize("n", [0, 1, 17, 90])
@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_script_and_graph_predict_what_probal_predicts(adapter: str, n: int, tmp_path: Path) -> None:
    posterior = fitted(adapter, n)
    rng = np.random.default_rng(3)
    raw, centre = rng.normal(size=(N, D)).astype(np.float32), rng.normal(size=D).astype(np.float32) / 3
    expected = exact(posterior, raw, centre)
    made = portable(posterior, centre)
    assert np.allclose(by_script(made, tmp_path, raw), expected, atol=1e-5)
    assert np.allclose(by_onnx(made, tmp_path, raw), expected, atol=1e-5)
    assert expected.max() - expected.min() > 0.1, "a flat predictive would hide a wrong array"


@pytest.mark.parametrize("adapter", ["bayes", "bayes-vi"])
def test_priors_of_different_width_are_kept(adapter: str, tmp_path: Path) -> None:
    posterior = fitted(adapter, 17, varied=True)
    raw = np.random.default_rng(5).normal(size=(N, D)).astype(np.float32)
    made = portable(posterior, None)
    assert made.prior.max() > 1.5 * made.prior.min()
    for way in (by_script, by_onnx):
        assert np.allclose(
            way(made, tmp_path, raw), exact(posterior, raw, np.zeros(D, np.float32)), atol=1e-5
        )


def test_a_vector_at_the_centre_gets_a_finite_answer(tmp_path: Path) -> None:
    centre = np.full(D, 0.25, np.float32)
    made = portable(fitted("bayes", 17), centre)
    for way in (by_script, by_onnx):
        assert np.allclose(way(made, tmp_path, centre[None]).sum(), 1)


def test_the_script_stays_short_enough_to_read() -> None:
    assert len(SCRIPT.splitlines()) <= 26
    assert max(map(len, SCRIPT.splitlines())) <= 118
