"""The last linear map of a tower: what it computes, and what counts as its weights."""

from __future__ import annotations

import pytest
import torch
from posterior_world import D, N, P, draw, projection

from probal.posterior import Projection, span_of


def test_it_is_the_layer_it_stands_for() -> None:
    """Against torch's own Linear, with the residual that SigLIP's pool adds."""
    layer = torch.nn.Linear(P, D, dtype=torch.float64)
    tower = Projection(layer.weight, layer.bias)
    a, residual = draw(N, P, seed=1), draw(N, D, seed=2)
    torch.testing.assert_close(tower.apply(a, residual), layer(a).detach() + residual)
    assert not tower.weight.requires_grad
    assert (tower.width, tower.columns) == (D, P + 1)
    torch.testing.assert_close(
        tower.inputs(a) @ torch.cat([layer.weight, layer.bias[:, None]], 1).mT, layer(a)
    )


def test_the_bias_is_a_weight() -> None:
    with_bias, without = projection(bias=True), projection()
    assert with_bias.bias is not None
    extra = float(with_bias.bias.square().sum())
    assert with_bias.square_norm() == pytest.approx(without.square_norm() + extra)
    everything, first = torch.eye(D, dtype=torch.float64), torch.eye(D, dtype=torch.float64)[:, :1]
    assert with_bias.square_norm(everything) == pytest.approx(with_bias.square_norm())
    of_first = float(with_bias.weight[0].square().sum() + with_bias.bias[0].square())
    assert with_bias.square_norm(first) == pytest.approx(of_first)


def test_the_identity_returns_its_activations() -> None:
    a = draw(N, P).float()
    found = Projection.identity(P).apply(a)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, a)
    assert span_of(a[:1]).shape == (P, 1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="weight must be"):
        Projection(draw(D))
    with pytest.raises(ValueError, match="bias must be"):
        Projection(draw(D, P), draw(P))
    with pytest.raises(ValueError, match="activations must be"):
        projection().apply(draw(N, P + 1))
    with pytest.raises(ValueError, match="residual must be"):
        projection().apply(draw(N, P), draw(D))
