"""Covariance and determinant in the dual against the dense Hessian, with n ≠ r ≠ C."""

import pytest
import torch
from torch import Tensor

from probal.adapters._dual import _root, active_images, factor, log_evidence
from probal.adapters._softmax_gp import find_mode
from tests.adapters.test_softmax_gp import SHAPES, negative_log_joint, problem


def hessian(offset: Tensor, phi: Tensor, y: Tensor, gains: Tensor, weights: Tensor) -> Tensor:
    """[rC,rC] at the weights B [r,C]."""
    shape = weights.shape
    return torch.autograd.functional.hessian(
        lambda b: negative_log_joint(offset, phi, y, b.reshape(shape), gains), weights.reshape(-1)
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("uneven", [False, True])
def test_covariance_and_determinant_are_the_dense_ones(shape: tuple[int, int, int], uneven: bool) -> None:
    offset, phi, y = problem(*shape)
    _, r, c = shape
    gains = torch.linspace(0.5, 1.5, c, dtype=torch.float64) if uneven else torch.ones(c, dtype=torch.float64)
    mode = find_mode(offset, phi @ phi.T, y, gains=gains)
    dense = hessian(offset, phi, y, gains, phi.T @ mode.representer * gains)
    dual = factor(phi @ phi.T, mode.probs, gains)
    assert dual.log_det == pytest.approx(float(torch.logdet(dense)), abs=1e-6)
    assert log_evidence(mode, dual) == pytest.approx(mode.log_joint - 0.5 * dual.log_det, abs=1e-12)
    images = torch.randn(7, r, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inverse = torch.linalg.inv(dense).reshape(r, c, r, c)
    want = torch.einsum("ir,rcsc,is->ic", images, inverse, images) * gains.square()
    prior = images.square().sum(1, keepdim=True) * gains.square()
    explained, common = dual.explained(images @ phi.T)
    torch.testing.assert_close(prior - explained, want, atol=1e-6, rtol=0)
    between = torch.einsum("ir,rcse,is->ice", images, inverse, images) * gains[:, None] * gains
    pairs = between.sum((1, 2)) - between.diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(common, pairs / (c * (c - 1)), atol=1e-6, rtol=0)


def test_evidence_is_the_integral_where_laplace_is_nearly_exact() -> None:
    """One weight per class, small amplitude: importance sampling from the prior is reliable."""
    offset, phi, y = problem(5, 1, 3, 0.3)
    b = torch.randn(400_000, 1, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_p = torch.log_softmax(offset + phi @ b, -1)
    likelihood = log_p.gather(-1, y.expand(len(b), 5)[..., None]).squeeze(-1).sum(1)
    truth = torch.logsumexp(likelihood, 0) - torch.log(torch.tensor(float(len(b))))
    mode = find_mode(offset, phi @ phi.T, y)
    dual = factor(phi @ phi.T, mode.probs, torch.ones(3, dtype=torch.float64))
    assert log_evidence(mode, dual) == pytest.approx(float(truth), abs=0.02)


def test_many_labels_keep_nearly_all_of_what_tells_classes_apart() -> None:
    """Beyond 64 labels the images that say little of a class are left out; never more certain without them."""
    g = torch.Generator().manual_seed(0)
    n, r, c = 150, 6, 8
    centres = torch.randn(c, r, generator=g, dtype=torch.float64)
    y = torch.arange(n) % c
    phi = 1.5 * centres[y] + torch.randn(n, r, generator=g, dtype=torch.float64)
    offset, gains = torch.zeros(n, c, dtype=torch.float64), torch.ones(c, dtype=torch.float64)
    mode = find_mode(offset, phi @ phi.T, y)
    inverse = torch.linalg.inv(hessian(offset, phi, y, gains, phi.T @ mode.representer)).reshape(r, c, r, c)
    images = torch.randn(40, r, generator=g, dtype=torch.float64)
    between = torch.einsum("ir,rcse,is->ice", images, inverse, images)
    centre = torch.eye(c, dtype=torch.float64) - 1 / c
    want = (centre @ between @ centre).diagonal(dim1=1, dim2=2).sum(1)
    dual = factor(phi @ phi.T, mode.probs, gains)
    assert sum(len(rows) for rows in dual.active) < 0.7 * n * c
    explained, common = dual.explained(images @ phi.T)
    own = images.square().sum(1, keepdim=True) - explained - common[:, None]
    ratio = (1 - 1 / c) * own.sum(1) / want
    assert float(ratio.min()) >= 1
    assert float(ratio.max()) < 1.3


def test_the_fewest_images_that_hold_the_mass() -> None:
    weights = torch.rand(90, 5, generator=torch.Generator().manual_seed(2)) ** 4
    keep = active_images(weights, 0.9)
    assert bool(keep[torch.arange(90), weights.argmax(1)].all())
    for c in range(5):
        held = weights[keep[:, c], c]
        assert float(held.sum()) >= 0.9 * float(weights[:, c].sum())
        own = weights.argmax(1) == c
        spare = weights[keep[:, c] & ~own, c]
        if len(spare):
            rest = float(held.sum() - spare.min())
            assert rest < 0.9 * float(weights[:, c].sum()) or bool((weights[own, c] < spare.min()).any())
    assert bool(active_images(weights[:64]).all())


def test_labels_that_are_told_apart_without_an_error_still_have_factors() -> None:
    """At an amplitude where every probability is saturated M is singular to rounding."""
    g = torch.Generator().manual_seed(5)
    n, r, c = 144, 16, 5
    centres = torch.randn(c, r, generator=g, dtype=torch.float64)
    y = torch.arange(n) % c
    x = centres[y] + 0.8 * torch.randn(n, r, generator=g, dtype=torch.float64)
    gram = 5e7 * (x @ x.T) / x.square().sum(1).mean()
    mode = find_mode(torch.zeros(n, c), gram.float(), y, tolerance=1e-3)
    dual = factor(gram, mode.probs.double(), torch.ones(c, dtype=torch.float64))
    explained, common = dual.explained(gram)
    prior = gram.diagonal().unsqueeze(1)
    assert torch.isfinite(explained).all()
    assert torch.isfinite(common).all()
    assert ((prior - explained) / prior > -1e-6).all()


def test_a_root_of_what_rounding_made_negative() -> None:
    g = torch.Generator().manual_seed(6)
    q = torch.linalg.qr(torch.randn(6, 6, generator=g, dtype=torch.float64)).Q
    values = torch.tensor([-1e-7, 0.0, 1e-9, 0.3, 0.9, 1.0], dtype=torch.float64)
    root = _root(q * values @ q.T)
    torch.testing.assert_close(root @ root.T, q * values.clamp(min=0) @ q.T, atol=1e-9, rtol=0)
