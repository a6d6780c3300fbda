"""Gaussian logits: dense twin, predictive by probit and by quasi-Monte Carlo against long Monte Carlo, draws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from probal.gaussian import GaussianLogits, predictive

F64 = torch.float64


def logits(
    n: int = 6,
    c: int = 5,
    r: int = 3,
    means: float = 2.0,
    own: float = 0.7,
    shared: float = 1.0,
    seed: int = 0,
) -> GaussianLogits:
    """Random logits; `own` and `shared` are standard deviations, the shared one mostly a common mode."""
    g = torch.Generator().manual_seed(seed)
    mean = means * torch.randn(n, c, generator=g, dtype=F64)
    var = own**2 * 2 * torch.rand(n, c, generator=g, dtype=F64)
    gain = 0.5 + torch.rand(n, generator=g, dtype=F64)
    texts = 1.5 * torch.randn(1, r, generator=g, dtype=F64) + torch.randn(c, r, generator=g, dtype=F64)
    factor = shared * torch.nn.functional.normalize(texts, dim=1)  # cosines of 0.6 to 0.9 for large r
    return GaussianLogits(mean, var, gain, factor)


def monte_carlo(z: GaussianLogits, k: int, seed: int = 99) -> torch.Tensor:
    """`E softmax` by k plain draws, [N, C]; standard error below 0.5/√k."""
    g = torch.Generator().manual_seed(seed)
    return torch.cat([z.rows([i]).sample(k, g).softmax(2).mean(1) for i in range(len(z))])


def test_variance_and_covariance_are_the_dense_ones() -> None:
    z = logits()
    assert z.gain is not None
    assert z.factor is not None
    for i in range(len(z)):
        dense = torch.diag(z.var[i]) + z.gain[i] * z.factor @ z.factor.mT
        torch.testing.assert_close(z.covariance(i), dense)
        torch.testing.assert_close(z.variance()[i], dense.diagonal())
    alone = GaussianLogits(z.mean, z.var)
    torch.testing.assert_close(alone.covariance(2), torch.diag(z.var[2]))


@pytest.mark.parametrize("r", [2, 9])
def test_draws_have_the_covariance(r: int) -> None:
    z = logits(n=2, r=r)
    draws = z.sample(60_000, torch.Generator().manual_seed(1))
    assert draws.shape == (2, 60_000, 5)
    for i in range(2):
        assert (draws[i].mean(0) - z.mean[i]).abs().max() < 0.03
        assert (torch.cov(draws[i].mT) - z.covariance(i)).abs().max() < 0.04 * z.variance().max()
    cross = torch.cov(torch.stack([draws[0, :, 0], draws[1, :, 0]]))[0, 1]
    limit = z.variance()[:, 0].prod().sqrt()
    assert cross.abs() < 0.03 * limit


def test_draws_repeat_with_the_generator_and_keep_the_type() -> None:
    z = logits().to(torch.float32)
    first, again, other = (z.sample(4, torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# C, deviation of the means, of each class, of the shared part -> largest |p − truth|, mean |p − truth|
PROBIT_TABLE = [
    (2, 3.0, 1.0, 0.0, 0.015, 0.004),
    (2, 3.0, 3.0, 3.0, 0.03, 0.008),
    (5, 0.5, 1.0, 0.0, 0.012, 0.003),
    (5, 3.0, 0.3, 3.0, 0.09, 0.012),
    (10, 3.0, 0.3, 1.0, 0.03, 0.003),
    (10, 3.0, 1.0, 0.0, 0.07, 0.006),
    (50, 0.5, 1.0, 1.0, 0.03, 0.002),
    (50, 3.0, 1.0, 0.0, 0.15, 0.003),
]


@pytest.mark.parametrize(("c", "means", "own", "shared", "largest", "average"), PROBIT_TABLE)
def test_probit_against_monte_carlo(
    c: int, means: float, own: float, shared: float, largest: float, average: float
) -> None:
    z = logits(n=30, c=c, r=32, means=means, own=own, shared=shared, seed=c)
    error = (z.predictive("probit") - monte_carlo(z, 20_000)).abs()
    print(f"C={c} means={means} own={own} shared={shared}: {error.max():.4f} {error.mean():.4f}")
    assert error.max() < largest
    assert error.mean() < average


# C, R, samples -> largest and mean |p − truth|
QMC_TABLE = [
    (3, 2, 64, 0.04, 0.009),
    (5, 8, 64, 0.03, 0.006),
    (20, 40, 64, 0.05, 0.003),
    (5, 8, 4096, 0.004, 0.001),
    (50, 4, 1024, 0.02, 0.001),
]


@pytest.mark.parametrize(("c", "r", "k", "largest", "average"), QMC_TABLE)
def test_qmc_against_monte_carlo(c: int, r: int, k: int, largest: float, average: float) -> None:
    z = logits(n=20, c=c, r=r, own=1.0, shared=1.5, seed=c)
    error = (z.predictive("qmc", k) - monte_carlo(z, 100_000 if c < 20 else 20_000)).abs()
    print(f"C={c} R={r} K={k}: {error.max():.4f} {error.mean():.4f}")
    assert error.max() < largest
    assert error.mean() < average


def test_expected_entropy_against_monte_carlo() -> None:
    z = logits(n=4)
    _, expected = z.integrate(4096)
    p = z.sample(100_000, torch.Generator().manual_seed(2)).softmax(2)
    assert (expected - torch.special.entr(p).sum(2).mean(1)).abs().max() < 0.006


@pytest.mark.parametrize("method", ["probit", "qmc"])
@pytest.mark.parametrize(("n", "c", "r"), [(1, 2, 1), (7, 3, 11), (4, 12, 2), (3, 1, 2), (0, 4, 2)])
def test_shapes_types_and_sums(method: str, n: int, c: int, r: int) -> None:
    z = logits(n=n, c=c, r=r)
    p = z.predictive(method)
    assert p.shape == (n, c)
    assert p.dtype == F64
    torch.testing.assert_close(p.sum(1), torch.ones(n, dtype=F64))
    small = z.to(torch.float32).predictive(method)
    assert small.dtype == torch.float32
    torch.testing.assert_close(small.double(), p, rtol=0, atol=2e-4)


@pytest.mark.parametrize("method", ["probit", "qmc"])
def test_blocks_and_rows_give_the_same(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    z = logits(n=40, c=6, r=9)
    whole = z.predictive(method)
    torch.testing.assert_close(z.rows(torch.tensor([31, 4])).predictive(method), whole[[31, 4]])
    torch.testing.assert_close(z.rows(slice(5, 9)).predictive(method), whole[5:9])
    monkeypatch.setattr(predictive, "BLOCK_ELEMENTS", 20)  # 3 images a block
    torch.testing.assert_close(z.predictive(method), whole)


@pytest.mark.parametrize("k", [1, 12, 128])
def test_an_image_is_the_same_alone_and_among_thousands(k: int) -> None:
    """Few images are taken at several nodes at once, many at one node."""
    many = logits(n=15_000)
    means, entropies = many.integrate(k)
    for rows in (slice(0, 1), slice(40, 47), slice(9_000, 9_400)):
        alone = many.rows(rows).integrate(k)
        torch.testing.assert_close(alone[0], means[rows])
        torch.testing.assert_close(alone[1], entropies[rows])


def test_qmc_repeats_without_a_generator_and_varies_with_one() -> None:
    z = logits()
    assert torch.equal(z.predictive("qmc"), z.predictive("qmc"))
    a, b = (z.predictive("qmc", 64, torch.Generator().manual_seed(s)) for s in (1, 2))
    assert not torch.equal(a, b)


@settings(max_examples=60)
@given(
    c=st.integers(1, 12),
    means=st.floats(0, 60),
    seed=st.integers(0, 2**16),
    method=st.sampled_from(["probit", "qmc"]),
)
def test_without_variance_it_is_the_softmax(c: int, means: float, seed: int, method: str) -> None:
    z = logits(c=c, means=means, seed=seed)
    still = GaussianLogits(z.mean, torch.zeros_like(z.var))
    torch.testing.assert_close(still.predictive(method), z.mean.softmax(1), rtol=1e-9, atol=1e-12)
    assert z.gain is not None
    silent = GaussianLogits(z.mean, torch.zeros_like(z.var), torch.zeros_like(z.gain), z.factor)
    torch.testing.assert_close(silent.predictive(method), z.mean.softmax(1), rtol=1e-9, atol=1e-12)


@settings(max_examples=60)
@given(
    c=st.integers(2, 9),
    r=st.integers(1, 12),
    shift=st.floats(-50, 50),
    seed=st.integers(0, 2**16),
    method=st.sampled_from(["probit", "qmc"]),
)
def test_what_moves_all_classes_together_changes_nothing(
    c: int, r: int, shift: float, seed: int, method: str
) -> None:
    """A constant on the means, and any column of ones times a vector in the factor."""
    z = logits(c=c, r=r, seed=seed)
    assert z.factor is not None
    row = torch.linspace(-3, 3, r, dtype=F64)
    moved = GaussianLogits(z.mean + shift, z.var, z.gain, z.factor + row)
    torch.testing.assert_close(moved.predictive(method), z.predictive(method), rtol=1e-5, atol=1e-6)


@settings(max_examples=60)
@given(c=st.integers(2, 9), own=st.floats(0, 5), seed=st.integers(0, 2**16))
def test_probit_knows_no_order_of_classes(c: int, own: float, seed: int) -> None:
    z = logits(c=c, own=own, seed=seed)
    order = torch.randperm(c, generator=torch.Generator().manual_seed(seed))
    assert z.factor is not None
    turned = GaussianLogits(z.mean[:, order], z.var[:, order], z.gain, z.factor[order])
    torch.testing.assert_close(turned.predictive(), z.predictive()[:, order])


@settings(max_examples=40)
@given(gap=st.floats(-8, 8), own=st.floats(0, 4), shared=st.floats(0, 4))
def test_two_classes_by_probit_are_mackays_formula(gap: float, own: float, shared: float) -> None:
    mean = torch.tensor([[gap, 0.0]], dtype=F64)
    var = torch.tensor([[own, own / 2]], dtype=F64)
    factor = torch.tensor([[1.0, 0.2], [0.4, 0.9]], dtype=F64)
    z = GaussianLogits(mean, var, torch.tensor([shared], dtype=F64), factor)
    difference = torch.tensor([1.0, -1.0], dtype=F64)
    spread = difference @ z.covariance(0) @ difference
    expected = torch.sigmoid(torch.tensor(gap, dtype=F64) / (1 + torch.pi / 8 * spread).sqrt())
    torch.testing.assert_close(z.predictive()[0, 0], expected, rtol=1e-9, atol=1e-12)


def test_a_certain_class_stays_finite_in_float32() -> None:
    mean = torch.tensor([[80.0, 0.0, -3.0], [0.0, -200.0, 200.0]])
    z = GaussianLogits(mean, torch.full_like(mean, 4.0), torch.tensor([2.0, 0.1]), torch.randn(3, 5))
    for method in ("probit", "qmc"):
        p = z.predictive(method)
        assert p.argmax(1).tolist() == [0, 2]
        assert p.max(1).values.min() > 0.999


def test_what_does_not_fit_is_named() -> None:
    mean, var = torch.zeros(3, 4), torch.ones(3, 4)
    gain, factor = torch.ones(3), torch.ones(4, 2)
    for given_args, message in [
        ((mean[0], var), r"mean must be \[N, C\]"),
        ((mean.long(), var), "mean must be floating point"),
        ((mean, var[0]), r"var must be \[N, C\]"),
        ((mean, -var), "var must not be negative"),
        ((mean, var, gain), "belong together"),
        ((mean, var, None, factor), "belong together"),
        ((mean, var, gain[:2], factor), r"gain must be \[N\]"),
        ((mean, var, -gain, factor), "gain must not be negative"),
        ((mean, var, gain, factor.mT), r"factor must be \[C, R\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            GaussianLogits(*given_args)
    with pytest.raises(ValueError, match="method must be"):
        GaussianLogits(mean, var).predictive("exact")
    with pytest.raises(ValueError, match="n_samples must be at least 1"):
        GaussianLogits(mean, var).predictive("qmc", 0)


@pytest.mark.parametrize("method", ["probit", "qmc"])
def test_a_nan_is_raised_not_returned(method: str) -> None:
    mean = torch.zeros(3, 4)
    mean[1, 2] = torch.nan
    with pytest.raises(FloatingPointError, match="not finite"):
        GaussianLogits(mean, torch.ones(3, 4)).predictive(method)
