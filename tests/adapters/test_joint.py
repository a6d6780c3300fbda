"""Joint draws against the dense posterior's covariance between images, classes coupled."""

import pytest
import torch
from torch import Tensor

import probal.adapters._joint as joint_module
from probal.adapters import BayesAdapter, LaplacePosterior
from probal.gaussian import GaussianEmbedding
from tests.adapters.test_bayes_adapter import C, D, data, dense, with_variance

SCALE, AMPLITUDE, TEMPERATURE, K = 3.0, 7.0, 0.3, 20_000


def fitted(n: int = 4, uneven: bool = False) -> tuple[LaplacePosterior, Tensor]:
    """Posterior of n labels in D = 6 dimensions, n < D leaving a part outside their span, and its dense twin."""
    x, y, prior = data(n)
    prior = with_variance(prior) if uneven else prior
    adapter = BayesAdapter(
        SCALE, fit_scale=False, centre=False, sharpness=1.0, amplitude=AMPLITUDE, temperature=TEMPERATURE
    )
    return adapter.fit(x, y, prior), TEMPERATURE * dense(x, y, prior, SCALE, AMPLITUDE)[1]


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n", "uneven"), [(0, False), (4, False), (4, True), (11, True)])
def test_covariance_between_images_is_the_dense_posteriors(n: int, uneven: bool) -> None:
    posterior, covariance = fitted(n, uneven)
    images = data(3, seed=5)[0]
    draws = posterior.joint(images, K, seeded())  # [3,K,C]
    assert draws.shape == (3, K, C)
    assert draws.dtype == torch.float64
    blocks = covariance.reshape(C, D, C, D)
    want = torch.einsum("id,cdef,jf->icje", images, blocks, images).reshape(3 * C, 3 * C)
    flat = draws.permute(0, 2, 1).reshape(3 * C, K)
    noise = ((want.square() + want.diagonal()[:, None] * want.diagonal()) / K).sqrt()
    assert ((torch.cov(flat) - want).abs() / noise).max() < 5
    error = (flat.mean(1) - (images @ posterior.weights.mT).reshape(-1)) / (want.diagonal() / K).sqrt()
    assert error.abs().max() < 5
    # what independent images would have: nothing between them
    between = want.reshape(3, C, 3, C)[0, :, 1]
    assert between.abs().max() > 20 * noise.max()


def test_theta_is_the_same_for_whatever_images_and_in_whatever_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    posterior, _ = fitted()
    images = data(6, seed=5)[0]
    together = posterior.joint(images, 20, seeded(3))
    torch.testing.assert_close(posterior.joint(images[4:], 20, seeded(3)), together[4:])
    assert not torch.equal(posterior.joint(images, 20, seeded(4)), together)
    twin = posterior.joint(images[[0, 0]], 20, seeded(3))
    assert torch.equal(twin[0], twin[1])
    monkeypatch.setattr(joint_module, "_BLOCK_ELEMENTS", 7 * C * D)
    blocks = posterior.joint(images, 20, seeded(3))
    assert blocks.shape == together.shape
    assert len(blocks[0].unique(dim=0)) == 20


def test_moments_are_those_of_the_logits() -> None:
    posterior, _ = fitted(11)
    images = data(5, seed=8)[0]
    draws, logits = posterior.joint(images, K, seeded()), posterior.logits(images)
    torch.testing.assert_close(draws.var(1), logits.variance(), rtol=0.06, atol=0)


@pytest.mark.parametrize("form", ["diagonal", "full", "var", "exact"])
def test_uncertain_images_bring_their_own_variance(form: str) -> None:
    posterior, _ = fitted(11)
    mean = data(2, seed=9)[0]
    root = 0.3 * torch.randn(D, D, generator=seeded(4), dtype=torch.float64)
    leverage = torch.tensor([0.5, 1.5], dtype=torch.float64)
    images = {
        "diagonal": GaussianEmbedding(mean, leverage=leverage, shared=root.square().sum(0)),
        "full": GaussianEmbedding(mean, leverage=leverage, shared=root @ root.mT),
        "var": GaussianEmbedding(mean, leverage[:, None] * root.square().sum(0)),
        "exact": GaussianEmbedding(3 * mean),
    }[form]
    draws = posterior.joint(images, K, seeded())  # [2,K,C]
    blocks = fitted(11)[1].reshape(C, D, C, D)
    for i, ex in enumerate(images.second_moment()):
        spread = images.covariance(i) + torch.outer(images.mean[i], images.mean[i])
        want = torch.einsum("cdef,df->ce", blocks, spread)
        want = (want + posterior.weights @ images.covariance(i) @ posterior.weights.mT) / ex
        error = torch.cov(draws[i].mT) - want
        # products of two Gaussians have heavier tails than Gaussians: six in place of five deviations
        noise = ((want.square() + want.diagonal()[:, None] * want.diagonal()) / K).sqrt()
        assert (error.abs() / noise).max() < 6


def test_drawn_rows_go_with_their_own_theta() -> None:
    posterior, _ = fitted()
    image = data(1, seed=5)[0]
    rows = image[:, None].expand(1, 12, D)
    torch.testing.assert_close(posterior.joint(rows, 12, seeded()), posterior.joint(image, 12, seeded()))
    with pytest.raises(ValueError, match=r"K = 5"):
        posterior.joint(rows, 5, seeded())
    with pytest.raises(ValueError, match="at least 1"):
        posterior.joint(image, 0, seeded())
