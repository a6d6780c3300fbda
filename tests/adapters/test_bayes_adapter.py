"""BayesAdapter against the dense weight-space posterior, and what its posterior must mean."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from probal.adapters import BayesAdapter, _dual, load_adapter
from probal.errors import UserError
from probal.gaussian import GaussianEmbedding

N, D, C = 11, 6, 4


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


def data(n: int = N, seed: int = 0) -> tuple[Tensor, Tensor, GaussianEmbedding]:
    g = torch.Generator().manual_seed(seed)
    x = unit(torch.randn(n, D, generator=g, dtype=torch.float64))
    prior = GaussianEmbedding(unit(torch.randn(C, D, generator=g, dtype=torch.float64)))
    return x, torch.randint(0, C, (n,), generator=g), prior


def dense(
    x: Tensor,
    y: Tensor,
    prior: GaussianEmbedding,
    scale: float,
    amplitude: float,
    multipliers: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mode [C,D] and covariance [CD,CD] of the logit weights scale·w, by Newton in weight space."""
    centre = scale * prior.mean
    size = prior.variance().mean(1)
    relative = torch.ones(C) if prior.is_exact else size / size.log().mean().exp()
    if multipliers is not None:  # κ_c ∝ 1/λ_c
        relative = relative * multipliers.log().mean().exp() / multipliers

    def objective(w: Tensor) -> Tensor:
        log_p = torch.log_softmax(x @ w.reshape(C, D).T, 1)
        moved = (w.reshape(C, D) - centre).square().sum(1) / (relative * amplitude)
        return 0.5 * moved.sum() - log_p.gather(1, y[:, None]).sum()

    w = centre.reshape(-1).clone()
    for _ in range(50):
        gradient = torch.autograd.functional.jacobian(objective, w)
        w = w - torch.linalg.solve(torch.autograd.functional.hessian(objective, w), gradient)
    return w.reshape(C, D), torch.linalg.inv(torch.autograd.functional.hessian(objective, w))


def with_variance(prior: GaussianEmbedding) -> GaussianEmbedding:
    """Class c is c + 1 times as uncertain as the first."""
    return GaussianEmbedding(
        prior.mean, torch.arange(1, C + 1)[:, None] * torch.ones(C, D, dtype=torch.float64)
    )


@pytest.mark.parametrize("uneven", [False, True])
def test_mean_and_marginal_variance_are_the_dense_posteriors(uneven: bool) -> None:
    x, y, prior = data()
    prior = with_variance(prior) if uneven else prior
    scale, amplitude = 3.0, 7.0
    posterior = BayesAdapter(
        scale, fit_scale=False, centre=False, sharpness=1.0, amplitude=amplitude, temperature=1.0
    ).fit(x, y, prior)
    mean, covariance = dense(x, y, prior, scale, amplitude)
    torch.testing.assert_close(posterior.weights, mean, atol=1e-4, rtol=0)
    images = data(9, seed=5)[0]
    logits = posterior.logits(images)
    blocks = covariance.reshape(C, D, C, D)
    want = torch.stack([((images @ blocks[c, :, c]) * images).sum(1) for c in range(C)], 1)
    torch.testing.assert_close(logits.variance(), want, atol=1e-4, rtol=1e-4)


def test_the_shared_gain_is_what_no_label_can_tell() -> None:
    """The variance of differences to the mean logit agrees on average with the dense posterior's."""
    x, y, prior = data()
    posterior = BayesAdapter(
        3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=1.0
    ).fit(x, y, prior)
    _, covariance = dense(x, y, prior, 3.0, 7.0)
    images = data(9, seed=5)[0]
    centre = torch.eye(C, dtype=torch.float64) - 1 / C
    blocks = covariance.reshape(C, D, C, D)
    logits = posterior.logits(images)
    for i, image in enumerate(images):
        true = centre @ torch.einsum("d,cdef,f->ce", image, blocks, image) @ centre
        ours = centre @ logits.covariance(i) @ centre
        assert float(ours.trace()) == pytest.approx(float(true.trace()), rel=1e-4)


def test_variance_falls_at_labels_and_stays_away_from_them() -> None:
    x, y, prior = data(3)
    posterior = BayesAdapter(
        3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=1.0
    ).fit(x, y, prior)
    beside = torch.linalg.svd(x, full_matrices=True).Vh[3:]  # orthogonal to every label
    assert (posterior.logits(x).variance() < 7.0 - 0.3).all()
    torch.testing.assert_close(
        posterior.logits(beside).variance(), torch.full((3, C), 7.0, dtype=torch.float64)
    )


@pytest.mark.parametrize("form", ["diagonal", "full", "var"])
def test_uncertain_images_against_monte_carlo(form: str) -> None:
    """Images and weights drawn from their Gaussians, in float64; centred logits where the shift is left out."""
    x, y, prior = data()
    posterior = BayesAdapter(
        3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=0.6, temperature=1.0
    ).fit(x, y, prior)
    _, covariance = dense(x, y, prior, 3.0, 0.6)
    g = torch.Generator().manual_seed(4)
    root = 0.3 * torch.randn(D, D, generator=g, dtype=torch.float64)
    spread = root.square().sum(0) if form != "full" else root @ root.T
    mean = data(2, seed=9)[0]
    leverage = torch.tensor([0.5, 1.5], dtype=torch.float64)
    if form == "var":
        images = GaussianEmbedding(mean, leverage[:, None] * spread)
    else:
        images = GaussianEmbedding(mean, leverage=leverage, shared=spread)
    logits = posterior.logits(images)
    draws = 200_000
    noise = torch.randn(draws, C, D, generator=g, dtype=torch.float64)
    for i in range(2):
        step = torch.linalg.cholesky(images.covariance(i)) @ torch.randn(
            D, draws, generator=g, dtype=torch.float64
        )
        rows = (mean[i] + step.T) / images.second_moment()[i].sqrt()  # [draws,D]
        blocks = covariance.reshape(C, D, C, D)
        weights = torch.stack(
            [posterior.weights[c] + noise[:, c] @ torch.linalg.cholesky(blocks[c, :, c]).T for c in range(C)],
            1,
        )
        sampled = torch.einsum("kd,kcd->kc", rows, weights)
        torch.testing.assert_close(sampled.mean(0), logits.mean[i], atol=0.02, rtol=0)
        own = posterior.logits(mean[i : i + 1] / images.second_moment()[i].sqrt())
        assert own.gain is not None
        want = sampled.var(0) - float(own.gain)  # the common shift is left out
        torch.testing.assert_close(logits.variance()[i], want, atol=0.02, rtol=0.03)


def test_an_exact_embedding_is_its_unit_row() -> None:
    x, y, prior = data()
    posterior = BayesAdapter(3.0).fit(x, y, prior)
    torch.testing.assert_close(
        posterior.logits(GaussianEmbedding(5 * x)).variance(), posterior.logits(x).variance()
    )


def test_temperature_scales_the_variance_and_not_the_mean() -> None:
    x, y, prior = data()
    hot, cold = (
        BayesAdapter(3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=t)
        .fit(x, y, prior)
        .logits(x)
        for t in (1.0, 0.25)
    )
    torch.testing.assert_close(hot.mean, cold.mean)
    torch.testing.assert_close(hot.variance(), 4 * cold.variance())


@pytest.mark.parametrize("seed", range(5))
def test_a_useless_prior_is_trusted_less_and_a_good_one_is_kept(seed: int) -> None:
    """Each prototype at another class does little harm on images that were held out, and each at its own helps."""
    g = torch.Generator().manual_seed(seed)
    centres = unit(torch.randn(C, 32, generator=g))
    y = torch.arange(880) % C
    x = unit(centres[y] + 2 * torch.randn(880, 32, generator=g) / 32**0.5)
    priors = centres, centres.roll(1, 0), torch.zeros_like(centres)
    good, wrong, none = (BayesAdapter(15.0).fit(x[:80], y[:80], GaussianEmbedding(each)) for each in priors)
    assert wrong.scale < 0.7 * min(15.0, good.scale)
    helped, harmed, alone = (
        float(-each.logits(x[80:]).predictive().log().gather(1, y[80:, None]).mean())
        for each in (good, wrong, none)
    )
    assert harmed < alone + 0.07  # trusted as the encoder has it, it loses 6 nats
    assert helped < min(harmed, alone) - 0.05


def test_one_label_per_class_without_a_prior_is_not_predicted_away() -> None:
    """Left out, such a label cannot be predicted; leave-one-out must not conclude that nothing can."""
    g = torch.Generator().manual_seed(5)
    centres = unit(torch.randn(12, 32, generator=g))
    images = unit(centres.repeat(20, 1) + 0.8 * torch.randn(240, 32, generator=g) / 32**0.5)
    prior = GaussianEmbedding(torch.zeros(12, 32))
    posterior = BayesAdapter(15.0).fit(images[:12], torch.arange(12), prior)
    assert posterior.amplitude > 100
    found = posterior.logits(images[12:]).predictive()
    assert (found.argmax(1) == torch.arange(12).repeat(19)).float().mean() > 0.9
    assert float(found.max(1).values.mean()) > 0.5


def test_the_amplitude_grows_with_the_share_of_classes_that_have_a_label() -> None:
    """One label says nothing that leave-one-out could weigh, so it is the hyperprior's centre that shows."""
    g = torch.Generator().manual_seed(7)
    centres = unit(torch.randn(C, 32, generator=g))
    prior, nothing = GaussianEmbedding(centres), GaussianEmbedding(torch.zeros(C, 32))
    adapter, rows = BayesAdapter(15.0), torch.arange(C)
    assert adapter.fit(centres[:0], rows[:0], prior).amplitude == pytest.approx(16)
    assert adapter.fit(centres[:0], rows[:0], nothing).amplitude == pytest.approx(256)
    assert adapter.fit(centres[:2], rows[:2], nothing).amplitude == pytest.approx(256 * 16 ** (1 / 16))
    assert adapter.fit(centres, rows, nothing).amplitude == pytest.approx(4096)


def test_a_start_without_labels_leads_nowhere_else() -> None:
    g = torch.Generator().manual_seed(7)
    centres = unit(torch.randn(C, 32, generator=g))
    y = torch.arange(80) % C
    x = unit(centres[y] + 0.5 * torch.randn(80, 32, generator=g) / 32**0.5)
    prior, adapter = GaussianEmbedding(centres), BayesAdapter(15.0)
    start = adapter.fit(x[:0], y[:0], prior).tensors()
    assert adapter.fit(x, y, prior, start).hyperparameters() == adapter.fit(x, y, prior).hyperparameters()


def test_the_temperature_of_many_labels_is_that_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond 64 labels some images are left out of some classes, which must not look like doubt."""
    g = torch.Generator().manual_seed(2)
    centres = unit(torch.randn(10, 32, generator=g))
    y = torch.arange(150) % 10
    x = unit(centres[y] + 1.2 * torch.randn(150, 32, generator=g) / 32**0.5)
    prior = GaussianEmbedding(torch.zeros(10, 32))
    adapter = BayesAdapter(15.0, amplitude=1000.0)
    quick = adapter.fit(x, y, prior).temperature
    monkeypatch.setattr(_dual, "_ALL", 1000)
    assert quick == pytest.approx(adapter.fit(x, y, prior).temperature, rel=0.5)


@pytest.mark.parametrize("prototypes", [True, False])
def test_a_warm_start_ends_where_a_cold_one_does(prototypes: bool) -> None:
    g = torch.Generator().manual_seed(7)
    centres = unit(torch.randn(C, 32, generator=g))
    y = torch.arange(90) % C
    x = unit(centres[y] + 2 * torch.randn(90, 32, generator=g) / 32**0.5)
    prior = GaussianEmbedding(centres if prototypes else torch.zeros(C, 32))
    adapter = BayesAdapter(15.0)
    cold = adapter.fit(x, y, prior)
    warm = adapter.fit(x, y, prior, adapter.fit(x[:80], y[:80], prior).tensors())
    here, there = (each.logits(x).predictive() for each in (warm, cold))
    assert float((here - there).abs().max()) < 0.05
    fewer = GaussianEmbedding(prior.mean[:3])
    known = y < 3
    start = cold.tensors()  # of four classes: one was archived since
    assert adapter.fit(x[known], y[known], fewer, start).weights.shape == (3, 32)


@settings(max_examples=20)
@given(st.permutations(range(N)))
def test_the_order_of_the_labels_does_not_matter(order: list[int]) -> None:
    x, y, prior = data()
    adapter = BayesAdapter(3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=0.1)
    torch.testing.assert_close(
        adapter.fit(x[order], y[order], prior).weights, adapter.fit(x, y, prior).weights, atol=1e-4, rtol=0
    )


@settings(max_examples=20)
@given(st.permutations(range(C)))
def test_classes_may_be_renumbered(order: list[int]) -> None:
    x, y, prior = data()
    adapter = BayesAdapter(3.0, fit_scale=False, centre=False, sharpness=1.0, amplitude=7.0, temperature=0.1)
    number = torch.tensor(order).argsort()
    moved = adapter.fit(x, number[y], GaussianEmbedding(prior.mean[order])).logits(x)
    here = adapter.fit(x, y, prior).logits(x)
    torch.testing.assert_close(moved.mean, here.mean[:, order], atol=1e-4, rtol=0)
    torch.testing.assert_close(moved.var, here.var[:, order], atol=1e-4, rtol=0)


def test_a_class_without_prior_variance_among_others_and_an_unknown_adapter_are_refused() -> None:
    x, y, prior = data()
    with pytest.raises(ValueError, match="some for every class"):
        BayesAdapter(3.0).fit(x, y, GaussianEmbedding(prior.mean, torch.zeros_like(prior.mean)))
    with pytest.raises(UserError, match=r"unknown adapter 'svm'.*bayes"):
        load_adapter("svm", 15.0)
