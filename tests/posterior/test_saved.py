"""A saved posterior comes back the same, and a wrong file is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from posterior_world import C, D, N, P, curvature, draw, projection
from safetensors.torch import load_file, save_file

from probal.errors import UserError
from probal.posterior import Damping, InfoNCE, fit_posterior, load_posterior, save_posterior, span_of


@pytest.mark.parametrize("damping", list(Damping))
@pytest.mark.parametrize("bias", [False, True])
def test_round_trip(tmp_path: Path, damping: Damping, bias: bool) -> None:
    """Also of what labels added, so that an update after loading counts no image twice."""
    tower, a, classes = projection(bias), draw(N, P, seed=1), draw(C, D, seed=2)
    start = fit_posterior(tower, curvature(tower.columns).shape_only(9.0), damping, tau=0.3)
    there = start.update(torch.arange(3), a[:3], classes, InfoNCE(5.0))
    save_posterior(tmp_path / "new" / "image.safetensors", there)
    back = load_posterior(tmp_path / "new" / "image.safetensors")
    later = [each.update(torch.arange(N), a, classes, InfoNCE(5.0)) for each in (there, back)]
    for mine, saved in ((there, back), later):
        torch.testing.assert_close(saved.precision.eigenvalues, mine.precision.eigenvalues, rtol=0, atol=0)
        torch.testing.assert_close(saved.embed(a).mean, mine.embed(a).mean, rtol=0, atol=0)
        torch.testing.assert_close(saved.embed(a).leverage, mine.embed(a).leverage, rtol=0, atol=0)
        assert saved.counted == mine.counted
        assert saved.curvature.count == mine.curvature.count
        assert saved.curvature.pseudo_count == mine.curvature.pseudo_count == 9.0
        assert saved.precision.damping is mine.precision.damping
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["image.safetensors"]


def test_round_trip_of_some_output_directions(tmp_path: Path) -> None:
    there = fit_posterior(projection(), curvature(), span=span_of(draw(2, D, seed=2)))
    save_posterior(tmp_path / "p", there)
    back = load_posterior(tmp_path / "p")
    a = draw(N, P, seed=1)
    torch.testing.assert_close(back.embed(a).covariance(1), there.embed(a).covariance(1), rtol=0, atol=0)
    assert back.log_evidence() == there.log_evidence()


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    with pytest.raises(UserError, match="there is no file"):
        load_posterior(path)
    path.write_bytes(b"not safetensors at all")
    with pytest.raises(UserError, match="is not a safetensors file"):
        load_posterior(path)
    save_file({"weight": torch.eye(2)}, path)
    with pytest.raises(UserError, match="expected 'probal-posterior-1'"):
        load_posterior(path)
    save_posterior(path, fit_posterior(projection(), curvature()))
    tensors = load_file(path)
    del tensors["ggn"]
    save_file(tensors, path, metadata={"format": "probal-posterior-1", "numbers": "{}"})
    with pytest.raises(UserError, match="is damaged"):
        load_posterior(path)
