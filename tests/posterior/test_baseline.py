"""The baseline: one leverage for all images, and one temperature."""

from __future__ import annotations

import pytest
import torch
from posterior_world import C, D, N, draw, spd

from probal.gaussian import GaussianEmbedding, GaussianLogits, cosine_logits
from probal.posterior import constant_leverage, fit_temperature, tempered


def test_one_leverage_for_all_images() -> None:
    rows = GaussianEmbedding(draw(N, D), leverage=torch.arange(1.0, N + 1), shared=spd(D, 1))
    same = constant_leverage(rows)
    torch.testing.assert_close(same.leverage, torch.full((N,), (N + 1) / 2, dtype=torch.float64))
    torch.testing.assert_close(same.mean, rows.mean)
    assert rows.leverage is not None
    assert float(rows.leverage[0]) == 1  # and the images handed in keep theirs
    with pytest.raises(ValueError, match="no leverage"):
        constant_leverage(GaussianEmbedding(draw(N, D)))


def test_tempered_is_the_distribution_of_the_divided_logits() -> None:
    rows = GaussianEmbedding(draw(N, D), leverage=torch.ones(N), shared=spd(D, 1))
    classes = GaussianEmbedding(draw(C, D, seed=3), draw(C, D, seed=4).square())
    hot, divided = cosine_logits(rows, classes, 8.0), cosine_logits(rows, classes, 2.0)
    found = tempered(hot, 4.0)
    torch.testing.assert_close(found.mean, divided.mean)
    for i in range(N):
        torch.testing.assert_close(found.covariance(i), divided.covariance(i))


@pytest.mark.parametrize("truth", [0.3, 1.0, 6.0])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_the_temperature_that_drew_the_labels_is_found(truth: float, noise: float) -> None:
    """Labels drawn from the predictive at `truth`; 20,000 of them leave 5 % of error."""
    g = torch.Generator().manual_seed(0)
    mean = 3 * torch.randn(20_000, C, generator=g, dtype=torch.float64)
    logits = GaussianLogits(mean, torch.full_like(mean, noise))
    labels = torch.multinomial(tempered(logits, truth).predictive(), 1, generator=g)[:, 0]
    assert fit_temperature(logits, labels) == pytest.approx(truth, rel=0.05)


def test_labels_must_fit() -> None:
    logits = GaussianLogits(draw(N, C), torch.zeros(N, C, dtype=torch.float64))
    with pytest.raises(ValueError, match="labels must be"):
        fit_temperature(logits, torch.zeros(N + 1, dtype=torch.int64))
