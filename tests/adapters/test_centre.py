"""What the labels add acts on images less their centre."""

from dataclasses import replace

import torch

from probal.adapters import BayesAdapter
from probal.gaussian import GaussianEmbedding
from tests.adapters.test_bayes_adapter import C, D, N, data, dense, unit


def test_centred_it_is_the_dense_posterior_of_what_the_labels_add() -> None:
    """A prior of zero, so that centring changes nothing but the images; covariance and mean at new images."""
    x, y, _ = data()
    nothing = GaussianEmbedding(torch.zeros(C, D, dtype=torch.float64))
    posterior = BayesAdapter(3.0, sharpness=1.0, amplitude=7.0, temperature=1.0).fit(x, y, nothing)
    centre = x.sum(0) / (N + 4)
    torch.testing.assert_close(posterior.centre, centre)
    mean, covariance = dense(x - centre, y, nothing, 3.0, 7.0)
    images = data(9, seed=5)[0]
    logits = posterior.logits(images)
    torch.testing.assert_close(logits.mean, (images - centre) @ mean.T, atol=1e-4, rtol=0)
    blocks = covariance.reshape(C, D, C, D)
    away = images - centre
    want = torch.stack([((away @ blocks[c, :, c]) * away).sum(1) for c in range(C)], 1)
    torch.testing.assert_close(logits.variance(), want, atol=1e-4, rtol=1e-4)
    draws = posterior.joint(images[:2], 20_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(1), logits.mean[:2], atol=0.1, rtol=0)
    between = torch.einsum("d,cde,e->c", away[0], torch.stack([blocks[c, :, c] for c in range(C)]), away[1])
    covered = ((draws[0] - draws[0].mean(0)) * (draws[1] - draws[1].mean(0))).mean(0)
    torch.testing.assert_close(covered, between, atol=0.25, rtol=0)


def test_labels_of_some_classes_do_not_lift_them_everywhere() -> None:
    """Images that are all alike at first sight, labels of 5 of 40 classes: the others are still found."""
    g = torch.Generator().manual_seed(1)
    common = 2 * unit(torch.randn(1, 64, generator=g))
    centres = unit(torch.randn(40, 64, generator=g))
    y = torch.arange(400) % 40
    images = unit(common + centres[y] + 0.7 * torch.randn(400, 64, generator=g) / 8)
    prior = GaussianEmbedding(unit(common + centres + 0.7 * torch.randn(40, 64, generator=g) / 8))
    few = torch.isin(y, torch.arange(5)).nonzero().squeeze(1)[:25]
    at = BayesAdapter(20.0, fit_scale=False, amplitude=300.0)
    other = y >= 5

    def found(adapter: BayesAdapter) -> float:
        logits = adapter.fit(images[few], y[few], prior).logits(images[other])
        return float((logits.mean.argmax(1) == y[other]).float().mean())

    assert found(at) > 0.9
    assert found(replace(at, centre=False)) < 0.7
