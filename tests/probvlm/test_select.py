"""Encoders are ranked by how often their uncertainty changes an image's nearest class, whatever their unit."""

import pytest
import torch

from probal.errors import UserError
from probal.probvlm import Candidate, Pairs, Settings, rank_encoders, retrieval_spread, train

N, D, C = 120, 6, 5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def candidate(noise, scale=1.0, offset=0.0):
    """Five classes; images and texts of a class are apart by `noise`."""
    texts = torch.randn(C, D, generator=generator(7))
    y = torch.arange(3 * N) % C
    images = texts[y] + noise * torch.randn(3 * N, D, generator=generator(1))
    images, texts = scale * images + offset, scale * texts + offset
    settings = Settings(
        hidden=16, epochs=15, held_out=0.3, learning_rate=0.01, held_out_texts=False, batch_size=20
    )
    model = train(Pairs(images[N:], texts[y[N:]]), settings, generator(2))
    return Candidate(model, images[:N], texts)


@pytest.fixture(scope="module")
def clear():
    return candidate(0.2)


@pytest.fixture(scope="module")
def noisy():
    return candidate(1.5)


def test_the_steadiest_comes_first(clear, noisy):
    ranked = rank_encoders({"noisy": noisy, "clear": clear}, 0)
    assert [r.encoder for r in ranked] == ["clear", "noisy"]
    assert ranked[0].spread + 2 * ranked[0].error < ranked[1].spread
    assert ranked == rank_encoders({"clear": clear, "noisy": noisy}, 0), "neither order nor company matters"


def test_values_are_means_over_the_pool(noisy):
    (ranked,) = rank_encoders({"one": noisy}, 3)
    draws = generator(3)
    spread = retrieval_spread(noisy.model, noisy.images, noisy.texts, draws)
    found = noisy.model.embed_images(noisy.images, draws)
    assert ranked.spread == pytest.approx(float(spread.mean()), rel=1e-5)
    assert ranked.error == pytest.approx(float(spread.std()) / N**0.5, rel=1e-5)
    signal = float((found.mean - found.mean.mean(0)).square().sum() / (N - 1))
    noise = float((found.aleatoric + found.epistemic).sum(1).mean())
    assert ranked.noise_to_signal == pytest.approx(noise / signal, rel=1e-5)


def test_the_unit_does_not_matter(noisy):
    """Mean variance alone, as in the paper, would rank by the unit."""
    a, b = rank_encoders({"a": noisy, "b": candidate(1.5, scale=100.0)}, 0)
    assert a.spread == pytest.approx(b.spread, abs=0.02)
    assert a.noise_to_signal == pytest.approx(b.noise_to_signal, rel=0.05)


def test_the_spread_of_one_image_by_hand(noisy):
    """And a text alone can never be left."""
    x = noisy.images[:1]
    spread = retrieval_spread(noisy.model, x, noisy.texts, generator(5))
    density, unit = noisy.model.image_density(x), torch.nn.functional.normalize(noisy.texts, dim=1)
    samples = density.sample(32, generator(5))[:, 0]  # a length changes no nearest text
    own = (density.mean @ unit.T).argmax()
    assert float(spread) == pytest.approx(float(((samples @ unit.T).argmax(1) != own).float().mean()))
    assert not retrieval_spread(noisy.model, noisy.images, noisy.texts[:1], generator()).any()


def test_wrong_pools_are_refused(clear, noisy):
    def part(images=slice(None), texts=slice(None)):
        return Candidate(clear.model, clear.images[images], clear.texts[texts])

    still = Candidate(clear.model, clear.images[:1].expand(9, D), clear.texts)
    for candidates, message in (
        ({}, "no encoder to rank"),
        ({"a": clear, "b": part(images=slice(20))}, "one pool"),
        ({"a": part(images=slice(1))}, "at least 2 images"),
        ({"a": clear, "b": part(texts=slice(3))}, "the same classes"),
        ({"a": part(texts=slice(1))}, "at least 2"),
        ({"a": still}, "the same embedding"),
    ):
        with pytest.raises(UserError, match=message):
            rank_encoders(candidates, 0)
