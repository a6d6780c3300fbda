"""CLAP, Tip-Adapter and the linear probe against their papers' objectives and a library."""

from itertools import product

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import one_hot

from probal.adapters import Clap, LinearProbe, TipAdapter
from probal.adapters._gains import class_multipliers
from probal.adapters.tip_adapter import ALPHAS, BETAS
from probal.gaussian import GaussianEmbedding

N, D, C = 25, 7, 4


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


@pytest.fixture
def data() -> tuple[Tensor, Tensor, GaussianEmbedding]:
    g = torch.Generator().manual_seed(0)
    prior = unit(torch.randn(C, D, generator=g, dtype=torch.float64))
    y = torch.arange(N) % C
    return unit(prior[y] + torch.randn(N, D, generator=g, dtype=torch.float64)), y, GaussianEmbedding(prior)


def test_clap_is_the_minimum_of_the_papers_loss(data: tuple[Tensor, Tensor, GaussianEmbedding]) -> None:
    x, y, prior = data
    scale = 8.0
    multipliers = class_multipliers(scale * x @ prior.mean.T, y)
    found = (Clap(scale).fit(x, y, prior).weights / scale).clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(scale * x @ found.T, y)
    loss = loss + (multipliers * (found - prior.mean).square().sum(1)).sum()
    (gradient,) = torch.autograd.grad(loss, found)
    assert gradient.abs().max() < 1e-4


def test_claps_multipliers_are_mean_zero_shot_probabilities(
    data: tuple[Tensor, Tensor, GaussianEmbedding],
) -> None:
    x, y, prior = data
    zero_shot = 8 * x @ prior.mean.T
    for c in range(C):
        mine = torch.softmax(zero_shot, 1)[y == c, c].mean()
        assert float(class_multipliers(zero_shot, y)[c]) == pytest.approx(float(mine))


@pytest.mark.parametrize("missing", [0, C - 1])
def test_a_class_without_labels_has_a_multiplier(missing: int) -> None:
    """CLAP's own code divides by its number of labels, and forgets a missing last class (examples §3)."""
    zero_shot = torch.randn(6, C, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([1, 1, 2, 2, 1, 2])
    found = class_multipliers(zero_shot, y)
    assert found.shape == (C,)
    assert float(found[missing]) == pytest.approx(float(found[[1, 2]].mean()))


def test_the_linear_probe_is_scikit_learns(data: tuple[Tensor, Tensor, GaussianEmbedding]) -> None:
    x, y, prior = data
    model = LogisticRegression(C=20.0, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(
        x.numpy(), y.numpy()
    )
    weights = LinearProbe(8.0, inverse_regularization=20.0).fit(x, y, prior).weights
    torch.testing.assert_close(weights, torch.from_numpy(model.coef_), atol=2e-3, rtol=0)


def test_tip_is_the_papers_formula(data: tuple[Tensor, Tensor, GaussianEmbedding]) -> None:
    x, y, prior = data
    posterior = TipAdapter(8.0).fit(x, y, prior)
    query = unit(torch.randn(5, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    want = 8 * query @ prior.mean.T
    for i in range(5):
        for j in range(N):
            weight = torch.exp(-posterior.beta * (1 - query[i] @ x[j]))
            want[i] += posterior.alpha * weight * one_hot(y[j], C)
    torch.testing.assert_close(posterior.logits(query).mean, want)


def test_tip_asks_for_queries_of_unit_length(data: tuple[Tensor, Tensor, GaussianEmbedding]) -> None:
    x, y, prior = data
    posterior = TipAdapter(8.0).fit(x, y, prior)
    with pytest.raises(ValueError, match="images must be rows of unit length, row 0 has length 3"):
        posterior.logits(3 * x)
    longer = posterior.logits(GaussianEmbedding(3 * x))
    torch.testing.assert_close(longer.mean, posterior.logits(x).mean)


def test_tip_chooses_by_deleting_each_key_in_turn(data: tuple[Tensor, Tensor, GaussianEmbedding]) -> None:
    x, y, prior = data
    zero_shot = 8 * x @ prior.mean.T
    best, best_score = (0.0, 0.0), -float("inf")
    for alpha, beta in product(ALPHAS, BETAS):
        score = 0.0
        for i in range(N):
            keep = torch.arange(N) != i
            cache = torch.exp(-beta * (1 - x[i] @ x[keep].T)) @ one_hot(y[keep], C).double()
            score += float(torch.log_softmax(zero_shot[i] + alpha * cache, 0)[y[i]])
        if score > best_score:
            best, best_score = (alpha, beta), score
    posterior = TipAdapter(8.0).fit(x, y, prior)
    assert (posterior.alpha, posterior.beta) == best
    assert best != (ALPHAS[-1], BETAS[-1])


@pytest.mark.parametrize("full", [True, False])
def test_draws_of_uncertain_images_have_the_moments_of_the_logits(
    data: tuple[Tensor, Tensor, GaussianEmbedding], full: bool
) -> None:
    x, y, prior = data
    posterior = Clap(8.0).fit(x, y, prior)
    root = torch.randn(D, D, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    leverage = torch.tensor([0.2, 0.05, 0.6], dtype=torch.float64)
    shared = root @ root.mT if full else root.square().sum(0)
    images = GaussianEmbedding(x[:3], leverage=leverage, shared=shared)
    draws = posterior.joint(images, 40_000, torch.Generator().manual_seed(0))
    logits = posterior.logits(images)
    error = (draws.mean(1) - logits.mean).abs() / (logits.variance() / 40_000).sqrt()
    assert error.max() < 5
    torch.testing.assert_close(draws.var(1), logits.variance(), rtol=0.05, atol=0)
