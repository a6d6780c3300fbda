"""The tower's posterior: its embeddings and logits against Monte Carlo over W, and its online update."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from posterior_world import C, D, N, P, curvature, draw, projection, spd
from torch import Tensor

from probal.gaussian import GaussianEmbedding, cosine_logits, cosine_moments
from probal.posterior import (
    Curvature,
    Damping,
    InfoNCE,
    Projection,
    SigLIP,
    TowerPosterior,
    fit_posterior,
    measure,
    span_of,
)

LOSSES = [InfoNCE(6.0), SigLIP(6.0, -2.0)]
BOTH = pytest.mark.parametrize("damping", list(Damping))
ACTIVATIONS, CLASSES, RESIDUAL = draw(N, P, seed=1), draw(C, D, seed=2), draw(N, D, seed=3)
SCALE, DRAWS = 7.0, 20_000


def posterior(damping: Damping = Damping.EXACT, bias: bool = False) -> TowerPosterior:
    tower = projection(bias)
    return fit_posterior(tower, curvature(tower.columns), damping)


def draws_of_scores(there: TowerPosterior, classes: GaussianEmbedding, residual: Tensor | None) -> Tensor:
    """`scale xᵀt/√(ex·et)` [K, N, C] with x from draws of W."""
    rows = there.embed(ACTIVATIONS, residual)
    z = there.sample(ACTIVATIONS, DRAWS, torch.Generator().manual_seed(1), residual)  # [N, K, D]
    norm = (rows.second_moment()[:, None] * classes.second_moment()).sqrt()  # [N, C]
    return SCALE * torch.einsum("nkd,cd->knc", z, classes.mean) / norm


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("residual", [None, RESIDUAL])
def test_logits_of_the_factored_posterior_against_monte_carlo_over_the_weights(
    bias: bool, residual: Tensor | None
) -> None:
    """Mean, variance and the covariance between classes, for each image."""
    there, classes = posterior(Damping.FACTORED, bias), GaussianEmbedding(CLASSES)
    logits = cosine_logits(there.embed(ACTIVATIONS, residual), classes, SCALE)
    scores = draws_of_scores(there, classes, residual)
    assert ((scores.mean(0) - logits.mean) / logits.variance().sqrt()).abs().max() < 5 / DRAWS**0.5
    for i in range(N):
        size = logits.variance()[i].sqrt()
        error = (torch.cov(scores[:, i].mT) - logits.covariance(i)) / torch.outer(size, size)
        assert error.abs().max() < 5 * (2 / DRAWS) ** 0.5


@pytest.mark.parametrize("residual", [None, RESIDUAL])
def test_marginals_of_the_exact_posterior_against_monte_carlo_over_the_weights(
    residual: Tensor | None,
) -> None:
    there = posterior(Damping.EXACT, bias=True)
    classes = there.rotate(GaussianEmbedding(CLASSES))
    logits = cosine_logits(there.embed_rotated(ACTIVATIONS, residual), classes, SCALE)
    scores = draws_of_scores(there, GaussianEmbedding(CLASSES), residual)
    assert ((scores.mean(0) - logits.mean) / logits.variance().sqrt()).abs().max() < 5 / DRAWS**0.5
    assert (scores.var(0) / logits.variance() - 1).abs().max() < 5 * (2 / DRAWS) ** 0.5


@pytest.mark.parametrize("prior_precision", [None, 1.0, 100.0])
def test_how_classes_move_together_under_the_exact_posterior(prior_precision: float | None) -> None:
    """The engine's form, one leverage per image over one shape, against the dense inverse of τ A⊗B + λI.

    Its covariance is no Kronecker product. Spectra that fall as 1/k, as a tower's do, leave 2.4 % of it.
    """
    wide, width = 40, 10
    u, v = (torch.linalg.qr(draw(n, n, seed=n)).Q for n in (wide, width))
    a = 100 * u / torch.arange(1, wide + 1) @ u.mT
    b = 5 * v / torch.arange(1, width + 1) @ v.mT
    factors = Curvature.from_factors(a, b, 50.0)
    there = fit_posterior(
        Projection(draw(width, wide, seed=5) / wide**0.5), factors, prior_precision=prior_precision
    )
    precision = there.precision.tau * torch.kron(factors.a, factors.b)
    precision += there.precision.prior_precision * torch.eye(wide * width, dtype=torch.float64)
    covariance = torch.linalg.inv(precision).reshape(wide, width, wide, width)
    rows = draw(12, wide, seed=6) @ torch.linalg.cholesky(a).mT / 10
    classes = draw(1, width, seed=7) + draw(C, width, seed=8)
    classes = classes / classes.norm(dim=1, keepdim=True)
    logits = cosine_logits(there.embed(rows), GaussianEmbedding(classes), SCALE)
    moment = there.embed(rows).second_moment()
    errors, together = [], []
    for i, image in enumerate(rows):
        noise = torch.einsum("p,pdqe,q->de", image, covariance, image)  # [D, D]
        true = SCALE**2 * classes @ noise @ classes.mT / moment[i]  # [C, C]
        size = true.diagonal().sqrt()
        errors.append((logits.covariance(i) - true) / torch.outer(size, size))
        together.append(true / torch.outer(size, size))
    off = ~torch.eye(C, dtype=torch.bool)
    assert float(torch.stack(together)[:, off].square().mean().sqrt()) > 0.3  # what independent logits lose
    for part in (off, ~off):
        assert float(torch.stack(errors)[:, part].square().mean().sqrt()) < 0.024


def test_classes_with_a_posterior_of_their_own() -> None:
    """Both towers uncertain: the variance of xᵀt by Monte Carlo over both sets of weights."""
    images = posterior(Damping.EXACT)
    texts = fit_posterior(projection(seed=31), curvature(seed=41), Damping.FACTORED)
    activations = draw(C, P, seed=9)
    rows = texts.embed(activations)
    logits = cosine_moments(images.embed_rotated(ACTIVATIONS), images.rotate(rows), SCALE)
    z = images.sample(ACTIVATIONS, DRAWS, torch.Generator().manual_seed(1))
    t = texts.sample(activations, DRAWS, torch.Generator().manual_seed(2))
    norm = (images.embed(ACTIVATIONS).second_moment()[:, None] * rows.second_moment()).sqrt()
    scores = SCALE * torch.einsum("nkd,ckd->knc", z, t) / norm
    shared = cosine_logits(images.embed_rotated(ACTIVATIONS), images.rotate(rows), SCALE)
    assert (scores.var(0) / shared.variance() - 1).abs().max() < 0.1
    assert (logits.mean - shared.mean).abs().max() < 1e-9


@BOTH
def test_the_leverage_form_keeps_length_and_mean_of_the_rotated_one(damping: Damping) -> None:
    there = posterior(damping, bias=True)
    shared, rotated = there.embed(ACTIVATIONS), there.embed_rotated(ACTIVATIONS)
    torch.testing.assert_close(shared.second_moment(), rotated.second_moment())
    torch.testing.assert_close(there.rotate(shared).mean, rotated.mean)
    if damping is Damping.FACTORED:
        torch.testing.assert_close(there.rotate(shared).variance(), rotated.var)


@pytest.mark.parametrize("bias", [False, True])
def test_bias_and_residual_are_in_the_mean(bias: bool) -> None:
    there = posterior(bias=bias)
    expected = ACTIVATIONS @ there.projection.weight.mT + RESIDUAL
    if there.projection.bias is not None:
        expected = expected + there.projection.bias
    torch.testing.assert_close(there.embed(ACTIVATIONS, RESIDUAL).mean, expected)


def test_a_bias_is_uncertain_too() -> None:
    """At activation zero all that is left is the bias: its column of A gives it a variance."""
    with_bias, without = posterior(bias=True), posterior()
    nothing = torch.zeros(1, P, dtype=torch.float64)
    assert float(with_bias.embed(nothing).variance().min()) > 0
    assert float(without.embed(nothing).variance().max()) == 0


@BOTH
@pytest.mark.parametrize("likelihood", LOSSES)
def test_the_update_is_a_fit_on_all_data_together(damping: Damping, likelihood: InfoNCE | SigLIP) -> None:
    tower = projection(bias=True)
    first = measure(tower, draw(20, P, seed=51), CLASSES, likelihood)
    start = fit_posterior(tower, first.shape_only(9.0), damping, tau=0.7)
    updated = start.update(torch.arange(N), ACTIVATIONS, CLASSES, likelihood, RESIDUAL)
    together = first.shape_only(9.0) + measure(tower, ACTIVATIONS, CLASSES, likelihood, RESIDUAL)
    refit = fit_posterior(tower, together, damping, tau=0.7)
    torch.testing.assert_close(updated.precision.eigenvalues, refit.precision.eigenvalues)
    torch.testing.assert_close(updated.embed(ACTIVATIONS).leverage, refit.embed(ACTIVATIONS).leverage)
    assert updated.curvature.count == 9.0 + N
    assert updated.curvature.pseudo_count == 9.0
    assert updated.precision.prior_precision != start.precision.prior_precision


def test_an_update_in_steps_counts_every_image_once() -> None:
    """One at a time, all at once, overlapping, repeated: the same posterior."""
    start, loss = posterior(), LOSSES[0]
    ids = torch.arange(100, 100 + N)
    whole = start.update(ids, ACTIVATIONS, CLASSES, loss)
    by_one = start
    for i in range(N):
        by_one = by_one.update(ids[i : i + 1], ACTIVATIONS[i : i + 1], CLASSES, loss)
    overlapping = start.update(ids[:4], ACTIVATIONS[:4], CLASSES, loss).update(
        ids, ACTIVATIONS, CLASSES, loss
    )
    doubled = start.update(ids.repeat(2), ACTIVATIONS.repeat(2, 1), CLASSES, loss)
    for other in (by_one, overlapping, doubled):
        assert other.curvature.count == whole.curvature.count == start.curvature.count + N
        assert other.counted == frozenset(ids.tolist())
        torch.testing.assert_close(other.curvature.outer, whole.curvature.outer)
        torch.testing.assert_close(other.precision.eigenvalues, whole.precision.eigenvalues)
    assert whole.update(ids, ACTIVATIONS, CLASSES, loss) is whole


def test_one_label_adds_an_outer_product_and_not_a_number() -> None:
    start = posterior()
    a = ACTIVATIONS[:1]
    updated = start.update(torch.tensor([3]), a, CLASSES, LOSSES[0])
    torch.testing.assert_close(updated.curvature.outer - start.curvature.outer, a.mT @ a)


def test_labels_shrink_the_variance_where_they_are() -> None:
    start = fit_posterior(projection(), curvature(), prior_precision=1.0)
    labeled = start.update(torch.arange(N), 5 * ACTIVATIONS, CLASSES, LOSSES[0])
    fixed = fit_posterior(start.projection, labeled.curvature, prior_precision=1.0)
    before, after = (each.embed(ACTIVATIONS).variance().sum(1) for each in (start, fixed))
    assert bool((after < before).all())


@BOTH
def test_nothing_handed_in_is_changed(damping: Damping) -> None:
    tower, seen = projection(bias=True), curvature(P + 1)
    ids, activations = torch.arange(N), ACTIVATIONS.clone()
    kept = [t.clone() for t in (tower.weight, seen.outer, seen.ggn, activations, CLASSES)]
    start = fit_posterior(tower, seen, damping)
    before = start.embed(activations).leverage
    updated = start.update(ids, activations, CLASSES, LOSSES[0])
    updated.sample(activations, 2, torch.Generator().manual_seed(0))
    for old, now in zip(kept, (tower.weight, seen.outer, seen.ggn, activations, CLASSES), strict=True):
        torch.testing.assert_close(now, old, rtol=0, atol=0)
    torch.testing.assert_close(start.embed(activations).leverage, before, rtol=0, atol=0)
    assert start.counted == frozenset()
    with pytest.raises(FrozenInstanceError):
        start.curvature = seen  # type: ignore[misc]


@BOTH
def test_uncertain_in_some_output_directions_only(damping: Damping) -> None:
    """Against Monte Carlo and the dense evidence of the weights that are left uncertain, spanᵀW [2, P]."""
    tower, seen, span = projection(), curvature(), span_of(CLASSES[:2])
    there = fit_posterior(tower, seen, damping, span=span)
    part = fit_posterior(
        Projection(span.mT @ tower.weight), replace(seen, ggn=span.mT @ seen.ggn @ span), damping
    )
    assert there.precision.prior_precision == pytest.approx(part.precision.prior_precision)
    assert there.log_evidence() == pytest.approx(part.log_evidence())
    rows = there.embed(ACTIVATIONS)
    torch.testing.assert_close(rows.mean, posterior(damping).embed(ACTIVATIONS).mean)
    inside = span @ part.embed(ACTIVATIONS).covariance(2) @ span.mT
    torch.testing.assert_close(rows.covariance(2), inside)
    draws = there.sample(ACTIVATIONS, 3, torch.Generator().manual_seed(0)) - rows.mean[:, None]
    outside = torch.eye(D, dtype=torch.float64) - span @ span.mT
    assert (draws @ outside).abs().max() < 1e-12
    updated = there.update(torch.arange(N), ACTIVATIONS, CLASSES, LOSSES[0])
    assert updated.span is span
    with pytest.raises(ValueError, match="some output directions only"):
        there.embed_rotated(ACTIVATIONS)


def test_a_span_has_the_rank_of_its_rows() -> None:
    span = span_of(torch.cat([CLASSES[:2], CLASSES[:1] + CLASSES[1:2]]).float())
    assert span.shape == (D, 2)
    torch.testing.assert_close(span.mT @ span, torch.eye(2, dtype=torch.float64))
    torch.testing.assert_close(span @ span.mT @ CLASSES[0], CLASSES[0], rtol=1e-5, atol=1e-5)


def test_float32_in_float32_out() -> None:
    rows = posterior().embed(ACTIVATIONS.float())
    assert rows.mean.dtype is rows.leverage.dtype is rows.shared.dtype is torch.float32
    assert posterior().embed_rotated(ACTIVATIONS.float()).var.dtype is torch.float32
    draws = posterior().sample(ACTIVATIONS.float(), 2, torch.Generator().manual_seed(0))
    assert draws.dtype is torch.float32


def test_draws_depend_on_the_generator_alone() -> None:
    there = posterior()
    one, again, other = (
        there.sample(ACTIVATIONS, 3, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    torch.testing.assert_close(one, again, rtol=0, atol=0)
    assert (one - other).abs().min() > 0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="bias included"):
        fit_posterior(projection(bias=True), curvature(P))
    with pytest.raises(ValueError, match="ids must be"):
        posterior().update(torch.arange(2), ACTIVATIONS, CLASSES, LOSSES[0])
    with pytest.raises(ValueError, match="cannot be rotated"):
        posterior().rotate(GaussianEmbedding(CLASSES, CLASSES.square()))
    rotated = posterior().rotate(GaussianEmbedding(CLASSES, leverage=torch.ones(C), shared=spd(D, 3)))
    assert rotated.shared is not None
    torch.testing.assert_close(rotated.shared.trace(), spd(D, 3).trace())
