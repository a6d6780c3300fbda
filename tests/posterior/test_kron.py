"""Kronecker algebra against the dense matrices that `torch.kron` writes out."""

from __future__ import annotations

import pytest
import torch
from posterior_world import D, N, P, draw, spd
from torch import Tensor

from probal.posterior import Damping, KroneckerPrecision

A, B = spd(P, 1), spd(D, 2)
LAM, TAU = 1.7, 0.4


def eye(width: int) -> Tensor:
    return torch.eye(width, dtype=torch.float64)


BOTH = pytest.mark.parametrize("damping", list(Damping))


def dense(damping: Damping) -> Tensor:
    """Precision of W's stacked columns, [P·D, P·D]."""
    if damping is Damping.EXACT:
        return TAU * torch.kron(A, B) + LAM * eye(P * D)
    root, shift = TAU**0.5, LAM**0.5
    return torch.kron(root * A + shift * eye(P), root * B + shift * eye(D))


def precision(damping: Damping) -> KroneckerPrecision:
    return KroneckerPrecision.from_factors(A, B, LAM, TAU, damping)


def dense_cross(a: Tensor, other: Tensor, damping: Damping) -> Tensor:
    """`Cov(W a_i, W a_j)` for all pairs from the dense inverse, [N, M, D, D]."""
    covariance = torch.linalg.inv(dense(damping)).reshape(P, D, P, D)
    return torch.einsum("np,pdqe,mq->nmde", a, covariance, other)


@BOTH
def test_logdet(damping: Damping) -> None:
    assert precision(damping).logdet() == pytest.approx(float(torch.logdet(dense(damping))), rel=1e-12)


def test_factored_logdet_has_each_factor_to_the_other_ones_width() -> None:
    """`D·logdet Ã + P·logdet B̃`; with the exponents swapped it is another number where P ≠ D."""
    root, shift = TAU**0.5, LAM**0.5
    of_a = float(torch.logdet(root * A + shift * eye(P)))
    of_b = float(torch.logdet(root * B + shift * eye(D)))
    found = precision(Damping.FACTORED).logdet()
    assert found == pytest.approx(D * of_a + P * of_b, rel=1e-12)
    assert found != pytest.approx(P * of_a + D * of_b, rel=1e-2)


@BOTH
def test_covariance_of_an_embedding(damping: Damping) -> None:
    a = draw(N, P, seed=3)
    there = precision(damping)
    truth = torch.stack([dense_cross(a, a, damping)[i, i] for i in range(N)])
    mine = torch.einsum("ed,nd,fd->nef", there.v, there.variance(a), there.v)
    torch.testing.assert_close(mine, truth)


@BOTH
def test_covariance_between_images(damping: Damping) -> None:
    a, other = draw(N, P, seed=3), draw(2, P, seed=4)
    there = precision(damping)
    mine = torch.einsum("ed,nmd,fd->nmef", there.v, there.cross_variance(a, other), there.v)
    torch.testing.assert_close(mine, dense_cross(a, other, damping))


def test_leverage_and_shared_are_the_factored_posterior() -> None:
    a, other = draw(N, P, seed=3), draw(2, P, seed=4)
    there = precision(Damping.FACTORED)
    a_tilde = TAU**0.5 * A + LAM**0.5 * eye(P)
    torch.testing.assert_close(there.leverage(a), (a @ torch.linalg.inv(a_tilde) * a).sum(1))
    torch.testing.assert_close(there.shared, torch.linalg.inv(TAU**0.5 * B + LAM**0.5 * eye(D)))
    between = there.leverage(a, other)[:, :, None, None] * there.shared
    torch.testing.assert_close(between, dense_cross(a, other, Damping.FACTORED))


def test_leverage_of_the_exact_posterior_keeps_every_trace() -> None:
    a, other = draw(N, P, seed=3), draw(2, P, seed=4)
    there = precision(Damping.EXACT)
    truth = dense_cross(a, other, Damping.EXACT).diagonal(dim1=2, dim2=3).sum(2)
    torch.testing.assert_close(there.leverage(a, other) * there.shared.trace(), truth)
    torch.testing.assert_close(there.leverage(a) * there.shared.trace(), there.variance(a).sum(1))


def test_shared_of_the_exact_posterior_is_the_mean_over_what_made_A() -> None:
    a = draw(40, P, seed=3)
    there = KroneckerPrecision.from_factors(a.mT @ a, B, LAM, TAU)
    mean = torch.einsum("ed,nd,fd->ef", there.v, there.variance(a), there.v)
    torch.testing.assert_close(there.shared / there.shared.trace(), mean / mean.trace())


def test_leverage_is_exact_where_the_curvature_is_a_product_already() -> None:
    """With isotropic B every d has one eigenvalue, so `Cov(W a) = l I` holds to the last digit."""
    a = draw(N, P, seed=3)
    there = KroneckerPrecision.from_factors(A, 2 * eye(D), LAM, TAU)
    covariance = torch.linalg.inv(torch.kron(TAU * 2 * A + LAM * eye(P), eye(D)))
    truth = torch.einsum("np,pdqe,nq->nde", a, covariance.reshape(P, D, P, D), a)
    torch.testing.assert_close(there.leverage(a)[:, None, None] * there.shared, truth)


@BOTH
def test_draws_share_the_weights(damping: Damping) -> None:
    """The covariance of draws is the dense one within and between images: no image has a W of its own."""
    a = draw(3, P, seed=5) + 1
    z = precision(damping).sample(a, 8_000, torch.Generator().manual_seed(0))  # [N, K, D]
    assert z.shape == (3, 8_000, D)
    truth = dense_cross(a, a, damping).transpose(1, 2).reshape(3 * D, 3 * D)
    found = torch.cov(z.transpose(0, 1).reshape(8_000, 3 * D).mT)
    size = truth.diagonal().sqrt()
    assert ((found - truth) / torch.outer(size, size)).abs().max() < 5 * (2 / 8_000) ** 0.5
    between = truth[:D, D : 2 * D] / torch.outer(size[:D], size[D : 2 * D])
    assert between.abs().max() > 0.1  # and there is something between images to get wrong


@BOTH
def test_a_rotation_keeps_cosines(damping: Damping) -> None:
    rows, there = draw(N, D, seed=6), precision(damping)
    torch.testing.assert_close(there.rotate(rows) @ there.rotate(rows).mT, rows @ rows.mT)


@BOTH
def test_another_prior_keeps_the_factors_and_the_old_one(damping: Damping) -> None:
    there = precision(damping)
    before = there.eigenvalues.clone()
    moved = there.with_prior(9.0)
    again = KroneckerPrecision.from_factors(A, B, 9.0, TAU, damping)
    torch.testing.assert_close(moved.eigenvalues, again.eigenvalues)
    assert there.prior_precision == LAM
    torch.testing.assert_close(there.eigenvalues, before, rtol=0, atol=0)


def test_types_of_results() -> None:
    there = precision(Damping.EXACT)
    for given, kept in ((torch.float64, torch.float64), (torch.float32, torch.float32)):
        a = draw(N, P).to(given)
        assert there.variance(a).dtype is there.leverage(a).dtype is there.rotate(draw(2, D).to(given)).dtype
        assert there.variance(a).dtype is kept
    assert there.leverage(draw(N, P).half()).dtype is torch.float32


def test_inside_it_is_float64() -> None:
    """Eigenvalues over twelve orders, as real factors have: in float32 the small ones would be rounding."""
    spread = torch.logspace(-6, 6, P, dtype=torch.float64)
    u = torch.linalg.qr(draw(P, P, seed=7)).Q
    there = KroneckerPrecision.from_factors((u * spread) @ u.mT, eye(D), 1e-6, damping=Damping.FACTORED)
    truth = 1 / ((spread + 1e-3) * (1 + 1e-3))  # √λ = 1e-3
    torch.testing.assert_close(there.variance(u.mT)[:, 0], truth, rtol=1e-6, atol=0)
    torch.testing.assert_close(there.variance(u.mT.float())[:, 0].double(), truth, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (draw(P, 2), B, "A must be a square matrix"),
        (A + draw(P, P), B, "A is not symmetric"),
        (A, B - 100 * eye(D), "B is not positive semi-definite"),
        (A * torch.nan, B, "A has entries that are not finite"),
    ],
)
def test_what_is_no_factor_is_refused(a: Tensor, b: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KroneckerPrecision.from_factors(a, b, LAM)


def test_float32_rounding_of_a_rank_deficient_factor_passes() -> None:
    """What rounds to a little below zero is zero; which sign a product's rounding takes depends on the machine."""
    rows = draw(2, P, seed=8)
    factor = rows.mT @ rows
    values, vectors = torch.linalg.eigh(factor)
    below = factor - 1e-7 * values[-1] * torch.outer(vectors[:, 0], vectors[:, 0])
    assert float(torch.linalg.eigvalsh(below)[0]) < 0
    there = KroneckerPrecision.from_factors(below, B, LAM)
    assert float(there.alpha.min()) == 0.0
    in_float32 = KroneckerPrecision.from_factors(rows.float().mT @ rows.float(), B, LAM)
    assert 0 <= float(in_float32.alpha.min()) < 1e-6 * float(in_float32.alpha.max())


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_prior_precision_is_a_positive_number(wrong: float) -> None:
    with pytest.raises(ValueError, match="prior_precision must be a positive number"):
        KroneckerPrecision.from_factors(A, B, wrong)
    with pytest.raises(ValueError, match="tau must be a positive number"):
        KroneckerPrecision.from_factors(A, B, LAM, wrong)


def test_activations_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="activations must be"):
        precision(Damping.EXACT).variance(draw(N, P + 1))
