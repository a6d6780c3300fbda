"""Acquisition, ambiguity flags, pictures of a distribution."""

import math

import pytest
import torch

from probal.errors import UserError
from probal.probvlm import (
    GeneralizedGaussian,
    Pairs,
    ProbEmbedding,
    Settings,
    acquisition_score,
    ambiguity_threshold,
    ambiguous,
    nearest_to_samples,
    retrieval_surprise,
    train,
)

D = 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def embedding(aleatoric, epistemic):
    rows = [torch.tensor(v)[:, None].expand(-1, D) for v in (aleatoric, epistemic)]
    return ProbEmbedding(torch.zeros(len(aleatoric), D), *rows)


def test_score_is_the_gaussian_information():
    score = acquisition_score(embedding([2.0, 1.0], [3.0, 0.0]))
    torch.testing.assert_close(score, torch.tensor([D / 2 * math.log(2.5), 0.0]))


def test_score_rises_with_epistemic_and_falls_with_aleatoric():
    score = acquisition_score(embedding([1.0, 1.0, 4.0], [1.0, 4.0, 4.0]))
    assert score[1] > score[2] >= score[0]
    up = acquisition_score(embedding([1.0] * 5, [0.0, 0.1, 0.2, 0.4, 0.8]))
    down = acquisition_score(embedding([0.1, 0.2, 0.4, 0.8, 1.6], [1.0] * 5))
    assert (up.diff() > 0).all()
    assert (down.diff() < 0).all()
    assert (up >= 0).all()


def test_a_score_that_is_not_finite_raises():
    with pytest.raises(FloatingPointError, match="aleatoric variance is 0"):
        acquisition_score(embedding([1.0, 0.0], [1.0, 1.0]))


@pytest.fixture(scope="module")
def model():
    images = torch.randn(900, D, generator=generator())
    noise = 0.2 + torch.sigmoid(3 * images[:, :1])
    texts = images + noise * torch.randn(900, D, generator=generator(1))
    return train(
        Pairs(images, texts), Settings(hidden=16, epochs=5, held_out=0.33, learning_rate=0.01), generator()
    )


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_flags_the_promised_share_of_new_images(model, share):
    fresh = torch.randn(4000, D, generator=generator(7))
    flagged = ambiguous(model, model.embed_images(fresh, generator()), share)
    slack = (
        4 * (share * (1 - share) / len(model.reference)) ** 0.5
    )  # the held-out images are a sample themselves
    assert abs(float(flagged.double().mean()) - share) < slack
    assert fresh[flagged, 0].mean() > fresh[~flagged, 0].mean()  # the noisy end


def test_threshold_is_the_conformal_rank(model):
    m = len(model.reference)
    assert m == 297
    rank = math.ceil((m + 1) * 0.9)
    assert ambiguity_threshold(model, 0.1) == float(model.reference.sort().values[rank - 1])
    assert ambiguity_threshold(model, 1 / (m + 1)) == float(model.reference.max())


def test_a_share_that_cannot_be_told_is_refused(model):
    for share, message in (
        (0.0, "between 0 and 1"),
        (1.0, "between 0 and 1"),
        (0.001, "train on more pairs"),
    ):
        with pytest.raises(UserError, match=message):
            ambiguity_threshold(model, share)


def test_samples_of_a_narrow_distribution_find_one_image_and_of_a_wide_one_many():
    pool = torch.eye(D).repeat(1, 1)
    mean = torch.tensor([[0.0, 0.0, 2.0, 0.0]] * 2)
    alpha = torch.tensor([[0.01] * D, [20.0] * D])
    index, cosine = nearest_to_samples(
        GeneralizedGaussian(mean, alpha, torch.full((2, D), 2.0)), pool, 200, generator()
    )
    assert index.shape == cosine.shape == (2, 200)
    assert (index[0] == 2).all()
    assert set(index[1].tolist()) == set(range(D))
    assert (cosine <= 1 + 1e-6).all()
    assert cosine[0].min() > 0.99 > cosine[1].min()


def test_retrieval_surprise_is_the_cross_modal_likelihood_of_the_nearest_pair(model):
    images = torch.randn(7, D, generator=generator(8))
    texts = torch.randn(3, D, generator=generator(9))
    found = retrieval_surprise(model, images, texts)
    for i, z in enumerate(images):
        nearest = texts[torch.nn.functional.cosine_similarity(z[None], texts).argmax()][None]
        by_image = model.image_density(z[None]).nll(nearest).mean()
        by_text = model.text_density(nearest).nll(z[None]).mean()
        torch.testing.assert_close(found[i], by_image + by_text)


def test_retrieval_surprise_grows_with_the_distance_of_the_nearest_text(model):
    image = torch.tensor([[1.0, 0.5, -0.5, 0.2]])
    close, far = (retrieval_surprise(model, image, image + step) for step in (0.1, 6.0))
    assert far > close
