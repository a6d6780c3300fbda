"""Moments of the cosine against Monte Carlo over the embeddings, and against dense algebra."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from probal.gaussian import GaussianEmbedding, GaussianLogits, cosine_logits, cosine_moments

N, C, D = 3, 4, 6
SCALE, BIAS = 7.0, -0.5
DRAWS = 60_000


def spd(width: int, g: torch.Generator) -> torch.Tensor:
    root = torch.randn(width, width, generator=g, dtype=torch.float64)
    return root @ root.mT / width


def embedding(form: str, n: int, d: int, seed: int, size: float = 0.3) -> GaussianEmbedding:
    g = torch.Generator().manual_seed(seed)
    mean = torch.randn(n, d, generator=g, dtype=torch.float64) + 0.5
    level = size * (0.2 + torch.rand(n, generator=g, dtype=torch.float64))
    spread = torch.rand(n, d, generator=g, dtype=torch.float64)
    if form == "exact":
        return GaussianEmbedding(mean)
    if form == "var":
        return GaussianEmbedding(mean, level[:, None] * spread)
    return GaussianEmbedding(mean, leverage=level, shared=spread[0] if form == "diagonal" else spd(d, g))


def draw(rows: GaussianEmbedding, k: int, g: torch.Generator) -> torch.Tensor:
    """Samples [K, N, D]."""
    noise = torch.randn(k, *rows.mean.shape, generator=g, dtype=torch.float64)
    roots = []
    for i in range(len(rows)):
        values, vectors = torch.linalg.eigh(rows.covariance(i))
        roots.append(vectors * values.clamp_min(0).sqrt())
    return rows.mean + torch.einsum("knd,ned->kne", noise, torch.stack(roots))


FORMS = ["exact", "var", "diagonal", "full"]


@pytest.mark.parametrize("image_form", FORMS)
@pytest.mark.parametrize("class_form", FORMS)
def test_moments_against_monte_carlo(image_form: str, class_form: str) -> None:
    """Mean, variance and the covariance between classes of xᵀt/√(ex·et), over 60,000 draws."""
    x, t = embedding(image_form, N, D, 1), embedding(class_form, C, D, 2)
    g = torch.Generator().manual_seed(3)
    norm = (x.second_moment()[:, None] * t.second_moment()).sqrt()  # [N, C]
    score = SCALE * torch.einsum("knd,kcd->knc", draw(x, DRAWS, g), draw(t, DRAWS, g)) / norm + BIAS
    logits = cosine_logits(x, t, SCALE, BIAS)
    tolerance = 5 * SCALE / DRAWS**0.5  # five standard errors of a number of size SCALE
    assert (score.mean(0) - logits.mean).abs().max() < tolerance
    for i in range(N):
        sampled = torch.cov(score[:, i].mT)
        dense = logits.covariance(i)
        if image_form == "var":  # shares isotropic noise only: marginals are kept, the rest is bounded
            sampled, dense = sampled.diagonal(), dense.diagonal()
        assert (sampled - dense).abs().max() < 0.04 * logits.variance()[i].max().clamp_min(1e-6)


@pytest.mark.parametrize("image_form", ["exact", "var", "diagonal"])
@pytest.mark.parametrize("class_form", ["exact", "var", "diagonal"])
@pytest.mark.parametrize("shape", [(3, 4, 6), (5, 9, 2), (1, 2, 11)])
def test_marginals_are_those_of_the_paper(
    image_form: str, class_form: str, shape: tuple[int, int, int]
) -> None:
    n, c, d = shape
    x, t = embedding(image_form, n, d, 4), embedding(class_form, c, d, 5)
    paper, shared = cosine_moments(x, t, SCALE, BIAS), cosine_logits(x, t, SCALE, BIAS)
    torch.testing.assert_close(shared.mean, paper.mean)
    torch.testing.assert_close(shared.variance(), paper.variance())
    assert paper.gain is None
    assert paper.factor is None
    if image_form != "exact":
        assert shared.factor is not None
        assert shared.factor.shape == (c, min(c, d))


def test_the_papers_formula_written_out() -> None:
    x, t = embedding("var", N, D, 6), embedding("var", C, D, 7)
    logits = cosine_moments(x, t, SCALE, BIAS)
    vx, vt = x.variance(), t.variance()
    for i in range(N):
        for c in range(C):
            mx, mt = x.mean[i], t.mean[c]
            ex, et = (mx**2 + vx[i]).sum(), (mt**2 + vt[c]).sum()
            mean = (mx * mt).sum() / (ex * et).sqrt()
            var = (vt[c] * (mx**2 + vx[i]) + vx[i] * mt**2).sum() / (ex * et)
            torch.testing.assert_close(logits.mean[i, c], SCALE * mean + BIAS)
            torch.testing.assert_close(logits.var[i, c], SCALE**2 * var)


def test_factor_against_the_projection_that_both_share() -> None:
    """Draw the projection W itself: z = W a moves all logits of an image together."""
    p, k = 5, 60_000
    g = torch.Generator().manual_seed(8)
    a = torch.randn(N, p, generator=g, dtype=torch.float64)
    w = torch.randn(D, p, generator=g, dtype=torch.float64)
    inv_a, inv_b = spd(p, g), spd(D, g)  # Cov(vec W) = inv_a ⊗ inv_b
    root_a, root_b = torch.linalg.cholesky(inv_a), torch.linalg.cholesky(inv_b)
    noise = torch.randn(k, D, p, generator=g, dtype=torch.float64)
    z = torch.einsum("kdp,np->knd", w + 0.3 * root_b @ noise @ root_a.mT, a)  # [K, N, D]
    x = GaussianEmbedding(a @ w.mT, leverage=0.09 * ((a @ inv_a) * a).sum(1), shared=inv_b)
    t = embedding("exact", C, D, 9)
    logits = cosine_logits(x, t, SCALE)
    score = SCALE * (z @ t.mean.mT) / (x.second_moment()[:, None] * t.second_moment()).sqrt()
    for i in range(N):
        dense = logits.covariance(i)
        assert (torch.cov(score[:, i].mT) - dense).abs().max() < 0.04 * dense.abs().max()


def test_isotropic_variance_is_shared_exactly() -> None:
    t = embedding("var", C, D, 11)
    level = torch.tensor([0.1, 0.4, 0.0], dtype=torch.float64)
    mean = embedding("exact", N, D, 12).mean
    as_var = cosine_logits(GaussianEmbedding(mean, level[:, None].expand(N, D)), t, SCALE)
    one = torch.ones(D, dtype=torch.float64)
    as_leverage = cosine_logits(GaussianEmbedding(mean, leverage=level, shared=one), t, SCALE)
    for i in range(N):
        torch.testing.assert_close(as_var.covariance(i), as_leverage.covariance(i))


def test_diagonal_and_full_form_agree() -> None:
    x, t = embedding("diagonal", N, D, 13), embedding("diagonal", C, D, 14)
    assert x.shared is not None
    assert t.shared is not None
    x_full = GaussianEmbedding(x.mean, leverage=x.leverage, shared=torch.diag(x.shared))
    t_full = GaussianEmbedding(t.mean, leverage=t.leverage, shared=torch.diag(t.shared))
    expected = cosine_logits(x, t, SCALE)
    for images, classes in ((x_full, t), (x, t_full), (x_full, t_full)):
        got = cosine_logits(images, classes, SCALE)
        for i in range(N):
            torch.testing.assert_close(got.covariance(i), expected.covariance(i))


def test_float32_in_float32_out_and_float64_kept() -> None:
    x, t = embedding("full", N, D, 15), embedding("var", C, D, 16)
    for score in (cosine_moments, cosine_logits):
        exact, small = score(x, t, SCALE), score(x.to(torch.float32), t.to(torch.float32), SCALE)
        assert exact.mean.dtype == torch.float64
        assert {v.dtype for v in (small.mean, small.var, small.variance())} == {torch.float32}
        torch.testing.assert_close(small.variance().double(), exact.variance(), rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_named() -> None:
    x, t = embedding("var", N, D, 17), embedding("var", C, D + 1, 18)
    for score in (cosine_moments, cosine_logits):
        with pytest.raises(ValueError, match="images are 6 wide and classes 7"):
            score(x, t, SCALE)
        with pytest.raises(ValueError, match="class row 1 is zero"):
            score(
                x, GaussianEmbedding(torch.eye(3, D).roll(1, 0) * torch.tensor([[1.0], [0.0], [1.0]])), SCALE
            )
    crooked = 2 * torch.eye(D) - torch.ones(D, D)  # eigenvalue 2 − D along the diagonal
    bad = GaussianEmbedding(torch.ones(N, D), leverage=torch.ones(N), shared=crooked)
    with pytest.raises(ValueError, match="positive semi-definite"):
        cosine_logits(bad, GaussianEmbedding(torch.ones(9, D)), SCALE)
    with pytest.raises(ValueError, match="scale must be one number"):
        cosine_logits(x, x, torch.ones(N))


@settings(max_examples=40)
@given(
    form=st.sampled_from(FORMS),
    stretch=st.floats(0.01, 100),
    scale=st.floats(0.1, 100),
    seed=st.integers(0, 2**16),
)
def test_stretching_images_with_their_deviation_changes_nothing(
    form: str, stretch: float, scale: float, seed: int
) -> None:
    """A cosine knows no length: mean · s with covariance · s² gives the same logits; the scale squares."""
    x, t = embedding(form, N, D, seed), embedding("var", C, D, seed + 1)
    stretched = GaussianEmbedding(
        x.mean * stretch,
        None if x.var is None else x.var * stretch**2,
        None if x.leverage is None else x.leverage * stretch**2,
        x.shared,
    )
    base, other = cosine_logits(x, t, 1.0), cosine_logits(stretched, t, scale)
    torch.testing.assert_close(other.mean, scale * base.mean)
    for i in range(N):
        torch.testing.assert_close(other.covariance(i), scale**2 * base.covariance(i))
    assert (base.mean.abs() <= 1 + 1e-12).all()


def test_scale_may_be_a_tensor_and_bias_shifts_the_mean_only() -> None:
    x, t = embedding("diagonal", N, D, 19), embedding("var", C, D, 20)
    number: GaussianLogits = cosine_logits(x, t, SCALE)
    tensor = cosine_logits(x, t, torch.tensor([SCALE]), torch.arange(C, dtype=torch.float64))
    torch.testing.assert_close(tensor.mean, number.mean + torch.arange(C))
    torch.testing.assert_close(tensor.variance(), number.variance())


@pytest.mark.parametrize(
    ("cosine", "ratio"), [(0.0, 1.0), (0.3, 1.09), (0.6, 1.52), (0.8, 2.54), (0.9, 4.38)]
)
def test_how_far_the_moments_are_from_the_true_cosine(cosine: float, ratio: float) -> None:
    """The table in the module's docstring, at a noise share of 0.1: the variance errs on the large side."""
    d, g = 64, torch.Generator().manual_seed(21)
    x, t = torch.zeros(1, d, dtype=torch.float64), torch.zeros(1, d, dtype=torch.float64)
    x[0, 0], t[0, 0], t[0, 1] = 1.0, cosine, (1 - cosine**2) ** 0.5
    images = GaussianEmbedding(x, torch.full((1, d), 0.1 / d, dtype=torch.float64))
    true = torch.cosine_similarity(draw(images, 40_000, g)[:, 0], t)
    logits = cosine_moments(images, GaussianEmbedding(t), 1.0)
    assert abs(float(logits.var[0, 0] / true.var()) / ratio - 1) < 0.05
    assert abs(float(logits.mean[0, 0] - true.mean())) < 0.002
