"""Draws that keep every image's own Gaussian and correlate images by their cosine."""

import pytest
import torch

import probal.acquisition.joint as joint_module
from probal.acquisition.joint import correlated_logits
from probal.gaussian import GaussianLogits
from tests.acquisition.conformance import pool

F64 = torch.float64
N, C, R, K = 4, 3, 2, 40_000


@pytest.mark.parametrize("with_factor", [False, True])
def test_moments_within_and_between_images(with_factor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint_module, "_BLOCK_ELEMENTS", 500_000)  # several blocks
    g = torch.Generator().manual_seed(0)
    x = pool(n=20).embeddings[:N].to(F64)
    var = torch.rand(N, C, generator=g, dtype=F64)
    gain = torch.rand(N, generator=g, dtype=F64) if with_factor else None
    factor = torch.randn(C, R, generator=g, dtype=F64) if with_factor else None
    logits = GaussianLogits(torch.randn(N, C, generator=g, dtype=F64), var, gain, factor)
    z = correlated_logits(logits, x, K, torch.Generator().manual_seed(1))
    assert z.shape == (N, K, C)
    assert (z.mean(1) - logits.mean).abs().max() < 5 * float(logits.variance().max() / K) ** 0.5
    found = torch.cov(z.permute(0, 2, 1).reshape(N * C, K)).reshape(N, C, N, C)
    for i in range(N):
        for j in range(N):
            want = torch.diag((var[i] * var[j]).sqrt())
            if gain is not None and factor is not None:
                want = want + (gain[i] * gain[j]).sqrt() * factor @ factor.mT
            want = float(x[i] @ x[j]) * want
            if i == j:
                torch.testing.assert_close(want, logits.covariance(i))
            assert (found[i, :, j] - want).abs().max() < 0.1
