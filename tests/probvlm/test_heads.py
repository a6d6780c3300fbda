"""Heads: positive parameters, any depth, no unit, and dropout only where masks are handed in."""

import pytest
import torch

from probal.probvlm.heads import ALPHA_FLOOR, BETA_CEILING, BETA_FLOOR, Head


def draw(n=40, d=5, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def head_of(layers=2, dropout=0.3, scale=1.0, d=5):
    head = Head(d, 8, layers, dropout, torch.Generator().manual_seed(0))
    head.measure(scale * draw(d=d), scale * draw(d=d, seed=1))
    return head


def shake(head):
    with torch.no_grad():
        head.out.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(3))
    return head


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 7])
def test_any_layer_count_works(layers):
    """The paper's code breaks for every count other than 3."""
    head = shake(head_of(layers))
    density = head(draw())
    density.nll(draw(seed=1)).sum().backward()
    assert density.mean.shape == density.alpha.shape == density.beta.shape == (40, 5)
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in head.parameters())


@pytest.mark.parametrize("push", [-1e4, 1e4])
def test_alpha_and_beta_are_never_zero(push):
    """A head that ends in ReLU gives exactly 0 here, and an infinite or undefined likelihood."""
    head = head_of()
    with torch.no_grad():
        head.out.bias[5:] = push
    density = head(draw())
    assert (density.alpha >= ALPHA_FLOOR * head.spread * 0.999).all()
    assert ((density.beta >= BETA_FLOOR) & (density.beta <= BETA_CEILING)).all()
    assert torch.isfinite(density.nll(density.mean + 0.5 * density.alpha)).all()
    assert torch.isfinite(density.variance()).all()


def test_starts_at_the_embedding():
    head = head_of()
    density = head(draw())
    torch.testing.assert_close(density.mean, draw())
    torch.testing.assert_close(density.alpha, (0.7 * head.spread).expand(40, 5))
    torch.testing.assert_close(density.beta, torch.full((40, 5), 1.5))


def test_no_unit_in_the_embedding():
    small, large = shake(head_of()), shake(head_of(scale=100.0))
    a, b = small(draw()), large(100 * draw())
    torch.testing.assert_close(100 * a.mean, b.mean, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(100 * a.alpha, b.alpha, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(a.beta, b.beta, rtol=1e-4, atol=1e-4)


def test_dropout_comes_from_masks_only():
    head = shake(head_of())
    assert torch.equal(head(draw()).mean, head(draw()).mean)
    dropped = [head(draw(), head.masks(1, torch.Generator().manual_seed(s))).mean for s in (1, 1, 2)]
    assert torch.equal(dropped[0], dropped[1])
    assert not torch.equal(dropped[0], dropped[2])


def test_masks_are_unbiased():
    head = head_of(dropout=0.25)
    mask = torch.cat(head.masks(4000, torch.Generator().manual_seed(0)))
    assert mask.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert mask.mean() == pytest.approx(1.0, abs=0.02)


def test_weights_come_from_the_generator_alone():
    before = torch.get_rng_state()
    first, again = head_of(), head_of()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
