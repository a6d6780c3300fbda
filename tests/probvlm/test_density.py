"""The density against quadrature, scipy's twin and autograd's finite differences."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import gennorm

from probal.probvlm.density import GeneralizedGaussian

BETAS = [0.5, 0.8, 1.0, 1.5, 2.0, 4.0]


def one(mean: float, alpha: float, beta: float) -> GeneralizedGaussian:
    return GeneralizedGaussian(*(torch.full((1, 1), v, dtype=torch.float64) for v in (mean, alpha, beta)))


def many(n: int, d: int, seed: int = 0) -> GeneralizedGaussian:
    g = torch.Generator().manual_seed(seed)
    draw = lambda: torch.rand(n, d, generator=g, dtype=torch.float64)  # noqa: E731
    return GeneralizedGaussian(draw() - 0.5, 0.1 + draw(), 0.6 + 3 * draw())


def integral(density: GeneralizedGaussian, power: int = 0) -> float:
    """∫ (x − μ)^power p(x) dx; the tails beyond 60 standard deviations hold nothing at β ≥ 0.5."""
    mean, reach = float(density.mean), 60 * float(density.variance()) ** 0.5

    def value(x: float) -> float:
        return (x - mean) ** power * float(torch.exp(-density.nll(torch.tensor([[x]], dtype=torch.float64))))

    points = [mean + sign * reach * 10.0**-k for k in range(1, 5) for sign in (-1, 1)]
    return quad(value, mean - reach, mean + reach, points=[*points, mean], limit=500)[0]


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("alpha", [0.03, 1.7])
def test_the_likelihood_is_normalized(alpha, beta):
    """r/α·β in place of (r/α)^β integrates to 1.13 at β = 2 and to 2 at β = 1."""
    assert integral(one(0.4, alpha, beta)) == pytest.approx(1.0, abs=2e-6)


@pytest.mark.parametrize("beta", BETAS)
def test_variance_is_the_second_moment(beta):
    density = one(-0.2, 0.6, beta)
    assert float(density.variance()) == pytest.approx(integral(density, 2), rel=1e-5)


def test_laplace_and_gauss_are_special_cases():
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None] + 0.01
    laplace = torch.distributions.Laplace(0.3, 0.8).log_prob(x)
    gauss = torch.distributions.Normal(0.3, 0.8 / 2**0.5).log_prob(x)
    for beta, truth in ((1.0, laplace), (2.0, gauss)):
        torch.testing.assert_close(
            one(0.3, 0.8, beta).nll(x), -truth, check_dtype=False, rtol=1e-6, atol=1e-6
        )


def test_nll_and_level_agree_with_scipy():
    density, x = many(5, 3), many(5, 3, seed=1).mean
    twin = gennorm(density.beta.numpy(), density.mean.numpy(), density.alpha.numpy())
    np.testing.assert_allclose(density.nll(x), -twin.logpdf(x), rtol=1e-9)
    np.testing.assert_allclose(density.level(x), np.abs(2 * twin.cdf(x) - 1), rtol=1e-9)


def test_gradient_is_right():
    density, x = many(4, 3), many(4, 3, seed=1).mean
    inputs = [t.clone().requires_grad_() for t in (density.mean, density.alpha, density.beta, x)]
    assert torch.autograd.gradcheck(lambda m, a, b, x: GeneralizedGaussian(m, a, b).nll(x), inputs)
    assert torch.autograd.gradcheck(lambda a, b: GeneralizedGaussian(x, a, b).variance(), inputs[1:3])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiny_residuals_stay_finite(dtype):
    residual = torch.tensor([[0.0, 1e-38, 1e-20, 1e-9, 1e-4]], dtype=dtype)
    for beta in BETAS:
        parts = [torch.full((1, 5), v, dtype=dtype, requires_grad=True) for v in (0.0, 1e-4, beta)]
        nll = GeneralizedGaussian(*parts).nll(residual)
        nll.sum().backward()
        assert torch.isfinite(nll).all()
        assert all(torch.isfinite(part.grad).all() for part in parts)
        assert (nll.detach().diff() >= -1e-5).all()  # never likelier farther out


def test_samples_have_the_density():
    density = many(2, 3)
    samples = density.sample(20_000, torch.Generator().manual_seed(0))
    assert samples.shape == (20_000, 2, 3)
    standardized = (samples - density.mean) / density.variance().sqrt()
    assert standardized.mean(0).abs().max() < 5 / 20_000**0.5
    inside = (density.level(samples.flatten(0, 0)) <= 0.8).double().mean(0)
    assert (inside - 0.8).abs().max() < 5 * (0.16 / 20_000) ** 0.5


def test_samples_depend_on_the_generator_alone():
    density = many(2, 3)
    first, again, other = (density.sample(4, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
