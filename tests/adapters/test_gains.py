"""Classes held by CLAP's λ_c in BayesAdapter's model."""

import pytest
import torch

from probal.adapters import BayesAdapter
from probal.gaussian import GaussianEmbedding
from tests.adapters.test_bayes_adapter import C, D, data, dense, with_variance


@pytest.mark.parametrize("uneven", [False, True])
def test_classes_held_by_claps_multipliers_are_the_dense_posterior_with_a_lambda_each(uneven: bool) -> None:
    """λ_c is the mean zero-shot probability of the class's own images; with a prior of uneven variance both count."""
    x, y, prior = data()
    scale, amplitude = 3.0, 7.0
    zero_shot = torch.softmax(scale * x @ prior.mean.T, 1)
    held = torch.stack([zero_shot[y == c, c].mean() for c in range(C)])
    assert float(held.max() / held.min()) > 2
    prior = with_variance(prior) if uneven else prior
    posterior = BayesAdapter(
        scale,
        fit_scale=False,
        centre=False,
        sharpness=1.0,
        amplitude=amplitude,
        temperature=1.0,
        class_multipliers=True,
    ).fit(x, y, prior)
    mean, covariance = dense(x, y, prior, scale, amplitude, held)
    torch.testing.assert_close(posterior.weights, mean, atol=1e-4, rtol=0)
    images = data(9, seed=5)[0]
    blocks = covariance.reshape(C, D, C, D)
    want = torch.stack([((images @ blocks[c, :, c]) * images).sum(1) for c in range(C)], 1)
    torch.testing.assert_close(posterior.logits(images).variance(), want, atol=1e-4, rtol=1e-4)


def test_without_prototypes_no_class_is_held_more_than_another() -> None:
    x, y, _ = data()
    nothing = GaussianEmbedding(torch.zeros(C, D, dtype=torch.float64))
    assert torch.equal(
        BayesAdapter(3.0, class_multipliers=True).fit(x, y, nothing).gains,
        torch.ones(C, dtype=torch.float64),
    )
