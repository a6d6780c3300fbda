"""The variational bound and its maximum against Monte Carlo, quadrature, autograd and torch.distributions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from probal.adapters import BayesAdapter, VariationalAdapter, VariationalPosterior
from probal.adapters._expected_softmax import antithetic_nodes, expect
from probal.adapters._variational_bound import Bound, label_factors, maximize
from probal.gaussian import GaussianEmbedding

N, R, C, D = 11, 7, 4, 6


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


def expected_log_sum(mean: Tensor, var: Tensor) -> Tensor:
    """E log Σ exp f to quadrature accuracy, differentiable: the Gumbel-max trick makes it one integral.

    log Σ exp f_c = E max_c(f_c + G_c) − γ for standard Gumbel G, and the classes are independent, so the
    distribution function of the maximum is a product over classes of E exp(−exp(f_c − t)).
    """
    nodes, weights = (torch.from_numpy(each) for each in np.polynomial.hermite_e.hermegauss(60))
    weights = weights / weights.sum()
    reach = float(mean.detach().abs().max() + 8 * var.detach().max().sqrt()) + 40
    t = torch.linspace(-reach, reach, 1501, dtype=torch.float64)
    f = mean[..., None] + var.sqrt()[..., None] * nodes  # [n,C,Q]
    below = (torch.exp(-torch.exp(f[:, :, None] - t[:, None])) * weights).sum(-1).prod(1)  # [n,T]
    # E max = reach − ∫ P(max ≤ t) dt on an interval that holds all of it
    return reach - torch.trapezoid(below, t, dim=1) - np.euler_gamma


def problem(temperature: float = 1.0, uneven: bool = False, spread: float = 1.5) -> Bound:
    g = torch.Generator().manual_seed(1)
    phi = spread * torch.randn(N, R, generator=g, dtype=torch.float64)
    offset = torch.randn(N, C, generator=g, dtype=torch.float64)
    gains = torch.linspace(0.6, 1.5, C, dtype=torch.float64) if uneven else torch.ones(C, dtype=torch.float64)
    return Bound(offset, phi, torch.randint(0, C, (N,), generator=g), gains, temperature)


def moments(bound: Bound, precision: Tensor) -> Tensor:
    """Covariances S_c [C,r,r] of the whitened weights, dense."""
    eye = torch.eye(bound.phi.shape[1], dtype=torch.float64)
    weight = (bound.gains.square() * precision).T  # [C,n]
    return bound.temperature * torch.linalg.inv(eye + bound.phi.T @ (weight[:, :, None] * bound.phi))


@pytest.mark.parametrize("scale", [0.1, 2.0, 30.0])
def test_expectations_against_monte_carlo(scale: float) -> None:
    g = torch.Generator().manual_seed(2)
    mean = 2 * torch.randn(3, C, generator=g, dtype=torch.float64)
    var = scale * torch.rand(3, C, generator=g, dtype=torch.float64)
    found = expect(mean, var, antithetic_nodes(3, C))
    draws = mean + var.sqrt() * torch.randn(400_000, 3, C, generator=g, dtype=torch.float64)
    p = torch.softmax(draws, 2)
    tolerance = 0.002 + 0.004 * scale**0.5
    torch.testing.assert_close(found.log_sum, draws.logsumexp(2).mean(0), atol=tolerance, rtol=0)
    torch.testing.assert_close(found.probs, p.mean(0), atol=0.006, rtol=0)
    torch.testing.assert_close(found.curvature, (p * (1 - p)).mean(0), atol=0.006, rtol=0)
    torch.testing.assert_close(found.log_sum, expected_log_sum(mean, var), atol=tolerance, rtol=0)


def test_prices_theorem_holds_of_the_exact_integral() -> None:
    """What `expect` calls probabilities and curvature are the derivatives of E log Σ exp f."""
    g = torch.Generator().manual_seed(3)
    mean = torch.randn(2, C, generator=g, dtype=torch.float64).requires_grad_()
    var = (2 * torch.rand(2, C, generator=g, dtype=torch.float64)).requires_grad_()
    by_mean, by_var = torch.autograd.grad(expected_log_sum(mean, var).sum(), (mean, var))
    found = expect(mean.detach(), var.detach(), antithetic_nodes(2, C))
    torch.testing.assert_close(found.probs, by_mean, atol=2e-3, rtol=0)
    torch.testing.assert_close(found.curvature, 2 * by_var, atol=2e-3, rtol=0)


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_the_bound_is_monte_carlo_less_torchs_kl(temperature: float, uneven: bool) -> None:
    bound = problem(temperature, uneven)
    g = torch.Generator().manual_seed(4)
    mean = torch.randn(R, C, generator=g, dtype=torch.float64)
    precision = 0.3 * torch.rand(N, C, generator=g, dtype=torch.float64)
    logits = bound.logits(mean)
    var, volume = bound.spread(precision)
    found = bound.value(mean, logits, expect(logits, var, antithetic_nodes(N, C)), volume)

    q = MultivariateNormal(mean.T, moments(bound, precision))
    prior = MultivariateNormal(
        torch.zeros(R, dtype=torch.float64), temperature * torch.eye(R, dtype=torch.float64)
    )
    torch.manual_seed(0)
    b = q.sample((100_000,))  # [S,C,r]
    log_p = torch.log_softmax(bound.offset + (b @ bound.phi.T).mT * bound.gains, 2)  # [S,n,C]
    fit = log_p.gather(2, bound.y[None, :, None].expand(len(b), -1, 1)).sum((1, 2)).mean()
    want = float(fit) - temperature * float(kl_divergence(q, prior).sum())
    assert found == pytest.approx(want, abs=0.12)
    samples = bound.offset + (b @ bound.phi.T).mT * bound.gains
    torch.testing.assert_close(var, samples.var(0), rtol=0.03, atol=0)


def test_the_gradient_is_autograds() -> None:
    """Of the deterministic bound, with respect to the mean; uneven gains expose a forgotten g."""
    bound = problem(0.5, uneven=True)
    g = torch.Generator().manual_seed(5)
    mean = torch.randn(R, C, generator=g, dtype=torch.float64).requires_grad_()
    var, _ = bound.spread(0.3 * torch.rand(N, C, generator=g, dtype=torch.float64))
    nodes = antithetic_nodes(N, C)
    logits = bound.logits(mean)
    sums = torch.logsumexp(logits + var.sqrt() * nodes[:, None], 2).mean(0)
    fit = logits.gather(1, bound.y[:, None]).sum() - sums.sum()
    (want,) = torch.autograd.grad(fit - 0.5 * mean.square().sum(), mean)
    found = bound.gradient(mean.detach(), expect(logits.detach(), var, nodes))
    torch.testing.assert_close(found, want, atol=1e-10, rtol=0)


@pytest.mark.parametrize("temperature", [1.0, 0.1])
@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_at_the_optimum_no_gaussian_nearby_is_better(temperature: float, spread: float) -> None:
    """By the gradient of the exact bound, quadrature and autograd, in means and Cholesky factors."""
    bound = problem(temperature, uneven=True, spread=spread)
    found = maximize(bound, torch.zeros(R, C, dtype=torch.float64))
    mean = found.mean.clone().requires_grad_()
    factors = torch.linalg.cholesky(moments(bound, found.precision)).requires_grad_()

    logits = bound.offset + (bound.phi @ mean) * bound.gains
    var = torch.stack([(bound.phi @ torch.tril(each)).square().sum(1) for each in factors], 1)
    sums = expected_log_sum(logits, bound.gains.square() * var)
    divergence = 0.5 * (factors.tril().square().sum() + mean.square().sum()) / temperature
    divergence = (
        divergence - factors.diagonal(dim1=1, dim2=2).log().sum() + 0.5 * C * R * (math.log(temperature) - 1)
    )
    value = logits.gather(1, bound.y[:, None]).sum() - sums.sum() - temperature * divergence
    by_mean, by_factor = torch.autograd.grad(value, (mean, factors))
    assert found.value == pytest.approx(float(value.detach()), abs=0.05)
    # the bound is concave in both and the prior bends it by at least 1, so half the square bounds what is left
    left = 0.5 * (by_mean.square().sum() + by_factor.tril().square().sum())
    assert float(left) < 0.02


def test_any_start_ends_at_the_same_gaussian() -> None:
    bound = problem()
    g = torch.Generator().manual_seed(6)
    near = maximize(bound, torch.zeros(R, C, dtype=torch.float64))
    far = maximize(bound, 3 * torch.randn(R, C, generator=g, dtype=torch.float64))
    torch.testing.assert_close(near.mean, far.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(near.precision, far.precision, atol=0.01, rtol=0)


def test_the_bound_is_below_the_log_evidence_and_near_it() -> None:
    """log p(y) by importance sampling from the posterior found, inflated."""
    bound = problem(spread=0.7)
    found = maximize(bound, torch.zeros(R, C, dtype=torch.float64))
    q = MultivariateNormal(found.mean.T, 1.5 * moments(bound, found.precision))
    prior = MultivariateNormal(torch.zeros(R, dtype=torch.float64), torch.eye(R, dtype=torch.float64))
    torch.manual_seed(1)
    b = q.sample((200_000,))
    log_p = torch.log_softmax(bound.offset + (b @ bound.phi.T).mT, 2)
    likelihood = log_p.gather(2, bound.y[None, :, None].expand(len(b), -1, 1)).sum((1, 2))
    weights = likelihood + (prior.log_prob(b) - q.log_prob(b)).sum(1)
    evidence = float(torch.logsumexp(weights, 0)) - math.log(len(b))
    assert evidence - 1.0 < found.value < evidence + 0.02


def test_a_cold_posterior_is_the_mode() -> None:
    x, y, prior = data()
    cold = VariationalAdapter(
        3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=1e-6
    ).fit(x, y, prior)
    laplace = BayesAdapter(
        3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=1e-6
    ).fit(x, y, prior)
    torch.testing.assert_close(cold.weights, laplace.weights, atol=2e-3, rtol=0)


def data(n: int = N, seed: int = 0) -> tuple[Tensor, Tensor, GaussianEmbedding]:
    g = torch.Generator().manual_seed(seed)
    x = unit(torch.randn(n, D, generator=g, dtype=torch.float64))
    prior = GaussianEmbedding(unit(torch.randn(C, D, generator=g, dtype=torch.float64)))
    return x, torch.randint(0, C, (n,), generator=g), prior


def covariances(q: VariationalPosterior) -> Tensor:
    """Σ_c [C,D,D] written out."""
    x = q.labeled
    inner = torch.eye(D, dtype=x.dtype) + q.amplitude * x.T @ (
        (q.gains.square() * q.precision).T[:, :, None] * x
    )
    return (q.temperature * q.amplitude * q.gains.square())[:, None, None] * torch.linalg.inv(inner)


@pytest.mark.parametrize("n", [3, N])
def test_predictive_variance_is_the_dense_one(n: int) -> None:
    """n below and above the width: Woodbury and its compressed rows."""
    x, y, prior = data(n)
    uneven = GaussianEmbedding(prior.mean, torch.arange(1, C + 1)[:, None] * torch.ones(C, D).double())
    q = VariationalAdapter(
        3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=0.5
    ).fit(x, y, uneven)
    images = data(9, seed=5)[0]
    want = torch.einsum("nd,cde,ne->nc", images, covariances(q), images)
    torch.testing.assert_close(q.logits(images).var, want, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("form", ["diagonal", "full", "var"])
def test_uncertain_images_against_dense_moments(form: str) -> None:
    x, y, prior = data()
    q = VariationalAdapter(
        3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=1.0
    ).fit(x, y, prior)
    g = torch.Generator().manual_seed(4)
    root = 0.3 * torch.randn(D, D, generator=g, dtype=torch.float64)
    spread = root @ root.T if form == "full" else root.square().sum(0)
    mean, leverage = data(2, seed=9)[0], torch.tensor([0.5, 1.5], dtype=torch.float64)
    if form == "var":
        images = GaussianEmbedding(mean, leverage[:, None] * spread)
    else:
        images = GaussianEmbedding(mean, leverage=leverage, shared=spread)
    covariance = covariances(q)
    found = q.logits(images)
    for i in range(2):
        noise, ex = images.covariance(i), images.second_moment()[i]
        own = torch.einsum("d,cde,e->c", mean[i], covariance, mean[i])
        want = (own + torch.einsum("cde,de->c", covariance, noise)) / ex
        torch.testing.assert_close(found.var[i] - _own_image(q, noise, ex, form), want, atol=2e-3, rtol=1e-3)


def _own_image(q: VariationalPosterior, noise: Tensor, ex: Tensor, form: str) -> Tensor:
    """m_cᵀΣx m_c / ex where the image's noise is no factor of its own."""
    if form != "var":
        return torch.zeros(C, dtype=torch.float64)
    return torch.einsum("cd,de,ce->c", q.weights, noise, q.weights) / ex


def test_joint_draws_covary_as_the_dense_posterior() -> None:
    x, y, prior = data()
    q = VariationalAdapter(
        3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=0.5
    ).fit(x, y, prior)
    images = data(3, seed=5)[0]
    draws = q.joint(images, 60_000, torch.Generator().manual_seed(0))  # [3,K,C]
    want = torch.einsum("id,cde,je->cij", images, covariances(q), images)
    for c in range(C):
        torch.testing.assert_close(torch.cov(draws[:, :, c]), want[c], atol=0.05, rtol=0.03)


@settings(max_examples=30)
@given(n=st.integers(0, 9), seed=st.integers(0, 1000), size=st.floats(-6, 6))
def test_label_factors_keep_the_precision(n: int, seed: int, size: float) -> None:
    """Up to what is negligible, however many rows and however uneven their weights."""
    g = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, 4, generator=g, dtype=torch.float64)
    weight = torch.exp(size * torch.rand(n, generator=g, dtype=torch.float64))
    chol, u = label_factors(rows, weight)
    assert len(u) <= min(n, 4)
    want = rows.T @ (weight[:, None] * rows)
    torch.testing.assert_close(u.T @ u, want, rtol=1e-9, atol=1e-2)
    torch.testing.assert_close(chol @ chol.T, torch.eye(len(u)).double() + u @ u.T, rtol=1e-9, atol=1e-9)
