"""What every encoder promises. A new one joins by a class with an `encoder` fixture, see below."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from probal.encoders import Encoder, check_encoder_id, load_encoder
from probal.pool.features import FeatureStore

SHAPES = [(40, 40), (64, 48), (48, 64), (300, 7), (7, 300), (1, 1), (2000, 3)]
TEXTS = ["cat", "a rather long description of a red bicycle that leans against a wall", "t-shirt", "7"]


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(7)
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in SHAPES]


class EncoderConformance:
    """Inherit, name the class Test…, and give the fixture `encoder` (scope "class": loading takes seconds)."""

    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls) -> Encoder:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def together(cls, encoder: Encoder) -> np.ndarray:
        return encoder.encode_images(pictures())

    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls, encoder: Encoder) -> np.ndarray:
        return encoder.encode_texts(TEXTS)

    def test_facts(self, encoder: Encoder) -> None:
        assert encoder.width > 0
        assert np.isfinite(encoder.scale)
        assert encoder.scale > 0
        assert isinstance(encoder.centred, bool)
        assert encoder.default_template.count("{}") == 1
        assert encoder.default_template.format("cat")

    def test_id_loads_an_equal_encoder(self, encoder: Encoder) -> None:
        check_encoder_id(encoder.id)
        again = load_encoder(encoder.id)
        assert (again.id, again.fingerprint, again.width) == (encoder.id, encoder.fingerprint, encoder.width)

    def test_fingerprint_needs_no_forward_pass(
        self, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def forward(*_: object, **__: object) -> None:
            raise AssertionError("a forward pass")

        fresh = load_encoder(encoder.id)
        monkeypatch.setattr(torch.nn.Module, "__call__", forward)
        assert fresh.fingerprint == encoder.fingerprint
        assert fresh.fingerprint.isalnum()

    def test_images(self, encoder: Encoder, together: np.ndarray) -> None:
        assert together.shape == (len(SHAPES), encoder.width)
        assert together.dtype == np.float32
        assert np.isfinite(together).all()
        assert len(np.unique(together.round(4), axis=0)) == len(SHAPES), "different images, equal vectors"

    def test_images_are_prepared_then_encoded(self, encoder: Encoder, together: np.ndarray) -> None:
        prepared = [encoder.prepare(image) for image in pictures()]
        assert len({(array.shape, array.dtype) for array in prepared}) == 1
        np.testing.assert_allclose(encoder.encode_prepared(np.stack(prepared)), together, atol=1e-6)

    def test_batch_and_order_do_not_matter(self, encoder: Encoder, together: np.ndarray) -> None:
        alone = np.concatenate([encoder.encode_images([image]) for image in pictures()])
        scale = np.abs(together).max()
        np.testing.assert_allclose(alone, together, atol=1e-5 * scale)
        backwards = encoder.encode_images(pictures()[::-1])[::-1]
        np.testing.assert_allclose(backwards, together, atol=1e-5 * scale)

    def test_many_images(self, encoder: Encoder, together: np.ndarray) -> None:
        many = encoder.encode_images(pictures()[:2] * 20)
        np.testing.assert_allclose(many[-2:], together[:2], atol=1e-5 * np.abs(together).max())

    def test_prepare_in_threads_leaves_images_alone(self, encoder: Encoder) -> None:
        images = pictures() * 8
        before = [image.tobytes() for image in images]
        with ThreadPoolExecutor(8) as pool:
            threaded = list(pool.map(encoder.prepare, images))
        for image, array in zip(images, threaded, strict=True):
            np.testing.assert_array_equal(array, encoder.prepare(image))
        assert [image.tobytes() for image in images] == before

    def test_texts(self, encoder: Encoder, rows: np.ndarray) -> None:
        assert rows.shape == (len(TEXTS), encoder.width)
        assert rows.dtype == np.float32
        assert np.isfinite(rows).all()
        assert (np.linalg.norm(rows, axis=1) > 0).all()
        assert len(np.unique(rows.round(5), axis=0)) == len(TEXTS)

    def test_texts_do_not_see_each_other(self, encoder: Encoder, rows: np.ndarray) -> None:
        alone = np.concatenate([encoder.encode_texts([text]) for text in TEXTS])
        np.testing.assert_allclose(alone, rows, atol=2e-5 * np.abs(rows).max())

    def test_nothing_gives_nothing(self, encoder: Encoder) -> None:
        assert encoder.encode_images([]).shape == (0, encoder.width)
        assert encoder.encode_texts([]).shape == (0, encoder.width)

    def test_no_global_randomness(self, encoder: Encoder) -> None:
        state, image = torch.get_rng_state(), pictures()[0]
        first = encoder.encode_images([image])
        np.testing.assert_array_equal(encoder.encode_images([image]), first)
        assert torch.equal(torch.get_rng_state(), state)

    def test_fits_the_feature_store(self, encoder: Encoder, together: np.ndarray, tmp_path: Path) -> None:
        store = FeatureStore(tmp_path, encoder.fingerprint, encoder.width)
        hashes = [f"{i:064x}" for i in range(len(together))]
        store.append(hashes, together)
        cosine = (store.read(hashes) * together).sum(1) / np.linalg.norm(together, axis=1) ** 2
        np.testing.assert_allclose(cosine, 1.0, atol=1e-3)
