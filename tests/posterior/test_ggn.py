"""Both Gauss-Newton matrices against automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from posterior_world import C, D, N, draw
from torch import Tensor
from torch.func import jacrev

from probal.posterior import InfoNCE, Likelihood, SigLIP

SCALE, BIAS = 6.0, -2.0
Z, T = draw(N, D, seed=1), draw(C, D, seed=2)


def logits(z: Tensor, bias: float = 0.0) -> Tensor:
    unit = T / T.norm(dim=1, keepdim=True)
    return SCALE * unit @ (z / z.norm()) + bias


def dense(likelihood: Likelihood) -> Tensor:
    """`Σ JᵀΛJ` with J by reverse mode and Λ as the loss's own Hessian in the logits."""

    def one(z: Tensor) -> Tensor:
        if isinstance(likelihood, SigLIP):
            jacobian, at = jacrev(logits)(z, BIAS), logits(z, BIAS)
            signs = torch.ones(C, dtype=torch.float64).index_fill(0, torch.tensor([1]), -1.0)
            curvature = jacrev(jacrev(lambda f: -torch.nn.functional.logsigmoid(signs * f).sum()))(at)
        else:
            jacobian, at = jacrev(logits)(z), logits(z)
            curvature = jacrev(jacrev(lambda f: torch.logsumexp(f, 0) - f[2]))(at)
        return jacobian.mT @ curvature @ jacobian

    return torch.stack([one(z) for z in Z]).sum(0)


@pytest.mark.parametrize("likelihood", [InfoNCE(SCALE), SigLIP(SCALE, BIAS)])
def test_against_automatic_differentiation(likelihood: Likelihood) -> None:
    torch.testing.assert_close(likelihood.ggn(Z, T), dense(likelihood))


def test_the_two_losses_have_different_curvature() -> None:
    """A SigLIP tower with the softmax's curvature would pass every test of shape."""
    softmax, bernoulli = InfoNCE(SCALE).ggn(Z, T), SigLIP(SCALE, BIAS).ggn(Z, T)
    assert (softmax - bernoulli).norm() > 0.1 * softmax.norm()


@pytest.mark.parametrize("likelihood", [InfoNCE(SCALE), SigLIP(SCALE, BIAS)])
def test_the_length_of_an_embedding_has_no_curvature(likelihood: Likelihood) -> None:
    z = Z[:1]
    assert (likelihood.ggn(z, T) @ z[0]).abs().max() < 1e-12
    torch.testing.assert_close(likelihood.ggn(3 * z, T), likelihood.ggn(z, T) / 9)
    torch.testing.assert_close(likelihood.ggn(z, 5 * T), likelihood.ggn(z, T))


@pytest.mark.parametrize("likelihood", [InfoNCE(100.0), SigLIP(100.0, -10.0)])
def test_positive_semi_definite_at_the_scale_of_clip(likelihood: Likelihood) -> None:
    """The identity subtracts large numbers; in float64 what is left below zero is rounding."""
    g = torch.Generator().manual_seed(5)
    common = torch.randn(64, generator=g)  # texts lie at cosines of 0.6 to 0.9
    t = common + 0.7 * torch.randn(30, 64, generator=g)
    z = (common + 2 * torch.randn(50, 64, generator=g)).float()
    values = torch.linalg.eigvalsh(likelihood.ggn(z, t))
    assert values.dtype is torch.float64
    assert values[0] > -1e-9 * values[-1]


@pytest.mark.parametrize("likelihood", [InfoNCE(SCALE), SigLIP(SCALE, BIAS)])
def test_a_row_without_direction_is_named(likelihood: Likelihood) -> None:
    with pytest.raises(ValueError, match="embedding row 2 is zero"):
        likelihood.ggn(Z.index_fill(0, torch.tensor([2]), 0.0), T)
    with pytest.raises(ValueError, match="target row 1 is zero or not finite"):
        likelihood.ggn(Z, T.index_fill(0, torch.tensor([1]), float("nan")))
    with pytest.raises(ValueError, match="equal widths"):
        likelihood.ggn(Z, draw(C, D + 1))
