"""The evidence against the dense determinant, and the λ that maximizes it."""

from __future__ import annotations

import math

import pytest
import torch
from posterior_world import D, P, draw, spd
from torch import Tensor

from probal.posterior import Damping, KroneckerPrecision, fit_prior_precision, log_evidence
from probal.posterior.evidence import effective_weights

A, B, W = spd(P, 1), spd(D, 2), draw(D, P, seed=3)
TAU = 0.4
BOTH = pytest.mark.parametrize("damping", list(Damping))


def precision(damping: Damping, lam: float = 1.7) -> KroneckerPrecision:
    return KroneckerPrecision.from_factors(A, B, lam, TAU, damping)


def dense_evidence(damping: Damping, lam: Tensor) -> Tensor:
    """`log N(Ŵ; 0, λ⁻¹I) + ½ log det(2π Σ)` of the Laplace approximation, with a dense [P·D, P·D] precision."""
    one_a, one_b = torch.eye(P, dtype=torch.float64), torch.eye(D, dtype=torch.float64)
    if damping is Damping.EXACT:
        dense = TAU * torch.kron(A, B) + lam * torch.eye(P * D, dtype=torch.float64)
    else:
        dense = torch.kron(TAU**0.5 * A + lam.sqrt() * one_a, TAU**0.5 * B + lam.sqrt() * one_b)
    prior = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), lam.rsqrt())
    posterior_volume = 0.5 * (P * D * math.log(2 * math.pi) - torch.logdet(dense))
    return prior.log_prob(W).sum() + posterior_volume


@BOTH
@pytest.mark.parametrize("lam", [0.01, 1.7, 300.0])
def test_against_the_dense_determinant(damping: Damping, lam: float) -> None:
    """Catches a missing ½ and exponents on the wrong factor: P ≠ D, and the prior is a real density."""
    truth = dense_evidence(damping, torch.tensor(lam, dtype=torch.float64))
    assert log_evidence(precision(damping, lam), float(W.square().sum())) == pytest.approx(float(truth))


@BOTH
@pytest.mark.parametrize("start", [1e-8, 1.0, 1e12])
def test_the_fit_is_where_the_dense_evidence_is_flat(damping: Damping, start: float) -> None:
    fitted = fit_prior_precision(precision(damping, start), float(W.square().sum()))
    lam = torch.tensor(fitted.prior_precision, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(dense_evidence(damping, lam), lam)
    assert abs(float(slope) * fitted.prior_precision) < 1e-7
    for away in (0.5, 0.99, 1.01, 2.0):
        other = precision(damping, away * fitted.prior_precision)
        assert log_evidence(other, float(W.square().sum())) < log_evidence(fitted, float(W.square().sum()))


def test_each_form_has_its_own_prior_precision() -> None:
    square_norm = float(W.square().sum())
    exact, factored = (fit_prior_precision(precision(d), square_norm).prior_precision for d in Damping)
    assert abs(math.log(exact / factored)) > 0.05


@BOTH
@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_the_fit_at_curvature_of_any_size(damping: Damping, size: float) -> None:
    """γ keeps its digits where the data say next to nothing, and reaches P·D where they say all."""
    there = KroneckerPrecision.from_factors(size * A, size * B, 1.0, TAU, damping)
    fitted = fit_prior_precision(there, 2.0)
    assert fitted.prior_precision * 2.0 == pytest.approx(effective_weights(fitted), rel=1e-8)
    if size > 1:
        assert effective_weights(fitted) == pytest.approx(P * D, rel=1e-3)


@BOTH
def test_where_the_evidence_has_no_maximum(damping: Damping) -> None:
    for wrong in (0.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="squared norm"):
            fit_prior_precision(precision(damping), wrong)
    flat = KroneckerPrecision.from_factors(0 * A, B, 1.0, damping=damping)
    with pytest.raises(ValueError, match="curvature is zero"):
        fit_prior_precision(flat, 1.0)
