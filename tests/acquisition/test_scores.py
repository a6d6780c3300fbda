"""Scores against dense Monte Carlo in float64, their bounds, and what the shared factor does to BALD."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from probal.acquisition import bald_controlled
from probal.acquisition.scores import (
    bald,
    bald_second_order,
    entropy,
    expected_entropy,
    margin,
    margin_of,
    uncertainty,
)
from probal.gaussian import GaussianEmbedding, GaussianLogits, cosine_logits

F64 = torch.float64


def logits(
    n: int = 8, c: int = 5, r: int = 7, own: float = 0.7, shared: float = 1.0, seed: int = 0
) -> GaussianLogits:
    g = torch.Generator().manual_seed(seed)
    mean = 2 * torch.randn(n, c, generator=g, dtype=F64)
    var = own**2 * 2 * torch.rand(n, c, generator=g, dtype=F64)
    gain = 0.5 + torch.rand(n, generator=g, dtype=F64)
    return GaussianLogits(mean, var, gain, shared * torch.randn(c, r, generator=g, dtype=F64) / r**0.5)


def dense_monte_carlo(z: GaussianLogits, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Total and aleatoric by k draws from each image's dense [C, C] covariance, independent of the code."""
    g = torch.Generator().manual_seed(7)
    total, aleatoric = [], []
    for i in range(len(z)):
        values, vectors = torch.linalg.eigh(z.covariance(i))
        noise = torch.randn(k, len(values), generator=g, dtype=F64)
        p = (z.mean[i] + noise @ (vectors * values.clamp_min(0).sqrt()).mT).softmax(1)
        total.append(torch.special.entr(p.mean(0)).sum())
        aleatoric.append(torch.special.entr(p).sum(1).mean())
    return torch.stack(total), torch.stack(aleatoric)


@pytest.mark.parametrize(("c", "r"), [(2, 1), (5, 2), (5, 30), (20, 4)])
def test_against_dense_monte_carlo(c: int, r: int) -> None:
    z = logits(c=c, r=r)
    total, aleatoric = dense_monte_carlo(z, 50_000)
    fine = uncertainty(z, n_samples=4096)
    assert (fine.total - total).abs().max() < 0.01
    assert (fine.aleatoric - aleatoric).abs().max() < 0.01
    assert (fine.epistemic - (total - aleatoric)).abs().max() < 0.01
    usual = uncertainty(z)
    relative = (usual.epistemic - fine.epistemic).square().mean().sqrt() / fine.epistemic.mean()
    print(f"C={c} R={r}: BALD at the default nodes is off by {relative:.3f} of its mean")
    assert relative < 0.06


@pytest.mark.parametrize(
    ("spread", "error", "rank"), [(0.1, 0.02, 0.999), (0.5, 0.1, 0.98), (1.0, 0.22, 0.92), (2.0, 0.4, 0.75)]
)
def test_second_order_bald_is_near_the_sampled_one(spread: float, error: float, rank: float) -> None:
    g = torch.Generator().manual_seed(0)
    n, c, r = 300, 10, 7
    mean = 3 * torch.randn(n, c, generator=g, dtype=F64)
    factor = spread * torch.randn(c, r, generator=g, dtype=F64) / r**0.5
    var = spread**2 * torch.rand(n, c, generator=g, dtype=F64)
    z = GaussianLogits(mean, var, 0.5 + torch.rand(n, generator=g, dtype=F64), factor)
    truth, quick = bald(z, n_samples=1024), bald_second_order(z)
    assert float((quick - truth).square().mean().sqrt() / truth.mean()) < error
    ranks = torch.stack([truth.argsort().argsort().double(), quick.argsort().argsort().double()])
    assert float(torch.corrcoef(ranks)[0, 1]) > rank


def test_second_order_bald_is_exact_in_the_limit_and_blind_to_a_common_shift() -> None:
    z = logits(own=1e-3, shared=1e-3)
    p = z.mean.softmax(1)
    fisher = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    t = torch.stack([0.5 * (fisher[i] @ z.covariance(i)).trace() for i in range(len(z))])
    torch.testing.assert_close(bald_second_order(z), t / (1 + t))
    shifted = GaussianLogits(z.mean + 5, z.var, 1000 * torch.ones(8, dtype=F64), torch.ones(5, 1, dtype=F64))
    own = GaussianLogits(z.mean, z.var)
    torch.testing.assert_close(bald_second_order(shifted), bald_second_order(own))


@pytest.mark.parametrize("c", [2, 3, 10])
def test_second_order_bald_keeps_its_order_below_its_bound(c: int) -> None:
    """Also where the variance is large: with two classes `t / (1 + t)` went up to 1, and log 2 is 0.69."""
    bound = min(1.0, math.log(c))
    for spread in (0.1, 3.0, 100.0):
        z = logits(n=40, c=c, own=spread, shared=spread)
        p = z.mean.softmax(1)
        fisher = torch.diag_embed(p) - p[:, :, None] * p[:, None]
        t = torch.stack([0.5 * (fisher[i] @ z.covariance(i)).trace() for i in range(40)])
        found = bald_second_order(z)
        torch.testing.assert_close(found, 1 / (1 / t + 1 / bound))
        assert torch.equal(found.argsort(), t.argsort())
        assert float(found.max()) < bound
    assert float(found.max()) > 0.99 * bound


def test_shared_noise_is_mostly_no_information() -> None:
    """Class texts at cosines of 0.6 to 0.9: independent logits of the same variance inflate BALD 3 to 8 times."""
    g = torch.Generator().manual_seed(1)
    d = 64
    texts = 1.8 * torch.randn(1, d, generator=g, dtype=F64) + torch.randn(10, d, generator=g, dtype=F64)
    cosines = torch.corrcoef(texts)[~torch.eye(10, dtype=torch.bool)]
    assert 0.6 < cosines.min() < cosines.max() < 0.9
    mean = texts[torch.arange(40) % 10] + 1.5 * torch.randn(40, d, generator=g, dtype=F64)
    leverage = 0.3 * torch.rand(40, generator=g, dtype=F64) + 0.05
    images = GaussianEmbedding(mean, leverage=leverage, shared=torch.ones(d, dtype=F64))
    shared = cosine_logits(images, GaussianEmbedding(texts), scale=20.0)
    independent = GaussianLogits(shared.mean, shared.variance())
    inflation = bald(independent, n_samples=1024).mean() / bald(shared, n_samples=1024).mean()
    print(f"independent logits inflate BALD {inflation:.1f} times")
    assert inflation > 2.5
    torch.testing.assert_close(shared.variance(), independent.variance())


@settings(max_examples=60)
@given(
    c=st.integers(1, 15),
    r=st.integers(1, 20),
    own=st.floats(0, 20),
    shared=st.floats(0, 20),
    seed=st.integers(0, 2**16),
    small=st.booleans(),
)
def test_bounds_and_decomposition(c: int, r: int, own: float, shared: float, seed: int, small: bool) -> None:
    z = logits(c=c, r=r, own=own, shared=shared, seed=seed)
    z = z.to(torch.float32) if small else z
    u = uncertainty(z)
    rounding = 1e-4 if small else 1e-12
    scores = u.total, u.aleatoric, u.epistemic, bald_second_order(z), bald_controlled(z)
    ceilings = 5 * [math.log(c)]
    if c > 1:
        scores, ceilings = (*scores, margin(z)), [*ceilings, 1.0]
    for score, ceiling in zip(scores, ceilings, strict=True):
        assert score.dtype == (torch.float32 if small else F64)
        assert (score >= 0).all()
        assert (score <= ceiling + rounding).all()
    torch.testing.assert_close(u.aleatoric + u.epistemic, u.total, rtol=0, atol=rounding)
    torch.testing.assert_close(u.predictive.sum(1), torch.ones_like(u.total), rtol=0, atol=rounding)


@settings(max_examples=30)
@given(c=st.integers(2, 12), means=st.floats(0, 300), seed=st.integers(0, 2**16))
def test_without_variance_nothing_is_epistemic(c: int, means: float, seed: int) -> None:
    """Also where probabilities underflow to 0, whose p·log p must be 0 and not NaN."""
    mean = means * torch.randn(5, c, generator=torch.Generator().manual_seed(seed))
    u = uncertainty(GaussianLogits(mean, torch.zeros_like(mean)))
    assert (u.epistemic < 1e-4).all()
    torch.testing.assert_close(u.total, torch.special.entr(mean.softmax(1)).sum(1), rtol=1e-4, atol=1e-5)


def test_each_score_is_its_part_of_the_whole() -> None:
    z = logits()
    u = uncertainty(z)
    assert torch.equal(entropy(z), u.total)
    assert torch.equal(expected_entropy(z), u.aleatoric)
    assert torch.equal(bald(z), u.epistemic)
    assert torch.equal(margin(z), margin_of(u.predictive))
    top = u.predictive.sort(1, descending=True).values
    assert torch.equal(margin(z), top[:, 0] - top[:, 1])


@pytest.mark.parametrize("score", [entropy, expected_entropy, margin, bald, bald_second_order])
def test_every_image_is_scored_by_its_own_row(score: object) -> None:
    """Also where N = C, which hides a `.diagonal()` of an [N, C] variance."""
    assert callable(score)
    z = logits(n=5, c=5)
    alone = torch.cat([score(z.rows([i])) for i in range(5)])
    torch.testing.assert_close(score(z), alone)
    assert len(alone.unique()) == 5


def test_repeats_without_a_generator_and_follows_one() -> None:
    z = logits()
    assert torch.equal(bald(z), bald(z))
    a, b, c = (bald(z, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_float32_ranks_like_float64_where_the_posterior_is_tight() -> None:
    z = logits(n=60, own=0.02, shared=0.02)
    exact, single = bald(z), bald(z.to(torch.float32))
    ranks = torch.stack([exact.argsort().argsort().double(), single.argsort().argsort().double()])
    assert torch.corrcoef(ranks)[0, 1] > 0.99


def test_empty_and_single_class() -> None:
    assert bald(logits(n=0)).shape == (0,)
    for score in (bald, bald_second_order, bald_controlled):
        assert torch.equal(score(logits(c=1)), torch.zeros(8, dtype=F64))
    with pytest.raises(ValueError, match="at least two classes"):
        margin(logits(c=1))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("score", [entropy, expected_entropy, margin, bald, bald_second_order])
def test_not_finite_is_raised(score: object, value: float) -> None:
    assert callable(score)
    z = logits()
    z.mean[3, 1] = value
    with pytest.raises(FloatingPointError, match="not finite"):
        score(z)
