"""A trained ProbVLM: its two uncertainties, its Gaussian, its file."""

import pytest
import torch
from safetensors.torch import save_file

from probal.errors import UserError
from probal.probvlm import Pairs, ProbEmbedding, Settings, load, train
from probal.probvlm.heads import Head

D = 5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def pairs():
    images = torch.randn(400, D, generator=generator())
    return Pairs(images, images.roll(1, 1) + 0.3 * torch.randn(400, D, generator=generator(1)))


@pytest.fixture(scope="module")
def model(pairs):
    return train(pairs, Settings(hidden=16, layers=2, epochs=4, learning_rate=0.01), generator())


def test_aleatoric_is_the_heads_variance_and_epistemic_the_spread_of_sampled_networks(model, pairs):
    found = model.embed_images(pairs.images, generator(), passes=4)
    density = model.image_density(pairs.images)
    torch.testing.assert_close(found.mean, density.mean)
    torch.testing.assert_close(found.aleatoric, density.variance())
    g = generator()
    networks = torch.stack([model.image(pairs.images, model.image.masks(1, g)).mean for _ in range(4)])
    torch.testing.assert_close(found.epistemic, networks.var(0))
    assert (found.epistemic.sum(1) > 0).all()


def test_a_row_does_not_depend_on_its_neighbours_or_the_chunk(model, pairs, monkeypatch):
    whole = model.embed_texts(pairs.texts, generator())
    monkeypatch.setattr("probal.probvlm.model.CHUNK", 7)
    part = model.embed_texts(pairs.texts[100:120], generator())
    for name in ("mean", "aleatoric", "epistemic"):
        torch.testing.assert_close(getattr(part, name), getattr(whole, name)[100:120])


def test_epistemic_is_larger_away_from_the_data(model, pairs):
    near = model.embed_images(pairs.images, generator()).ignorance().mean()
    far = model.embed_images(10 * pairs.images, generator()).ignorance().mean()
    assert far > 3 * near


def test_without_dropout_nothing_is_epistemic(pairs):
    model = train(pairs, Settings(hidden=8, epochs=1, dropout=0.0), generator())
    assert (model.embed_images(pairs.images, generator()).epistemic == 0).all()


def test_the_gaussian_has_the_same_two_moments(model, pairs):
    found = model.embed_images(pairs.images, generator())
    gaussian = found.gaussian()
    torch.testing.assert_close(gaussian.mean, found.mean)
    torch.testing.assert_close(gaussian.variance(), found.aleatoric + found.epistemic)
    samples = model.image_density(pairs.images[:3]).sample(50_000, generator())
    assert (samples.var(0) / found.aleatoric[:3] - 1).abs().max() < 0.1


def test_no_rows(model):
    assert len(model.embed_images(torch.zeros(0, D), generator())) == 0


def test_embedding_refuses_what_is_no_variance():
    good = torch.ones(3, D)
    for aleatoric, epistemic in ((-good, good), (good, good * float("nan")), (good[:2], good)):
        with pytest.raises(ValueError, match=r"aleatoric|epistemic"):
            ProbEmbedding(good, aleatoric, epistemic)
    assert torch.equal(ProbEmbedding(good, good, 2 * good).rows([0, 2]).ignorance(), torch.full((2,), 2.0))


def test_bad_embeddings_are_refused(model):
    for z, message in (
        (torch.zeros(3, D + 1), "use the encoder it was trained on"),
        (torch.zeros(D), "must be"),
        (torch.full((3, D), float("nan")), "must be finite"),
    ):
        with pytest.raises(UserError, match=message):
            model.embed_images(z, generator())
        with pytest.raises(UserError, match=message):
            model.image_density(z)
    with pytest.raises(UserError, match="at least 2 passes"):
        model.embed_images(torch.zeros(3, D), generator(), passes=1)


def test_comes_back_from_its_file_to_the_last_bit(model, pairs, tmp_path):
    model.save(tmp_path / "deep" / "heads.safetensors")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["heads.safetensors"]
    again = load(tmp_path / "deep" / "heads.safetensors")
    assert (again.settings, again.history, again.chosen) == (model.settings, model.history, model.chosen)
    assert torch.equal(again.reference, model.reference)
    for name in ("embed_images", "embed_texts"):
        a, b = (getattr(m, name)(pairs.images, generator()) for m in (model, again))
        assert all(torch.equal(getattr(a, k), getattr(b, k)) for k in ("mean", "aleatoric", "epistemic"))
    assert isinstance(again.image, Head)
    assert not any(p.requires_grad for p in again.image.parameters())


def test_other_files_are_refused(model, tmp_path):
    path = tmp_path / "heads.safetensors"
    with pytest.raises(UserError, match="there is no file"):
        load(path)
    path.write_bytes(b"\x80\x04N.")  # a pickle
    with pytest.raises(UserError, match="not a safetensors file"):
        load(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="not a ProbVLM of this version"):
        load(path)
    save_file({"x": torch.zeros(1)}, path, metadata={"format": "probal-probvlm-1", "facts": "{}"})
    with pytest.raises(UserError, match="is damaged"):
        load(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": 0},
        {"hidden": 1.5},
        {"dropout": 1.0},
        {"cross_weight": 0.0},
        {"learning_rate": float("nan")},
        {"weight_decay": -1.0},
        {"held_out": 1.0},
    ],
)
def test_bad_settings_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Settings(**wrong)
