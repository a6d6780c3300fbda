"""transformers' CLIP, SigLIP and BLIP on tiny models with seeded random weights; no network."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_conformance import TEXTS, EncoderConformance, pictures
from hf_checkpoints import MAKERS, save
from PIL import Image

from probal.encoders import ActivationEncoder, check_encoder_id, load_encoder
from probal.errors import UserError

pytestmark = pytest.mark.embedded  # transformers comes with that extra


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hf")
    for kind in MAKERS:
        save(kind, folder / kind)
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> dict[str, Any]:
    return {kind: load_encoder(f"hf:{folder / kind}") for kind in MAKERS}


class HFConformance(EncoderConformance):
    kind = ""

    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls, loaded: dict[str, Any]) -> Any:
        return loaded[cls.kind]


@pytest.mark.embedded
class TestCLIPConformance(HFConformance):
    kind = "clip"


@pytest.mark.embedded
class TestSigLIPConformance(HFConformance):
    kind = "siglip"


@pytest.mark.embedded
class TestBLIPConformance(HFConformance):
    kind = "blip"


def own_embeddings(encoder: Any, images: list[Image.Image], texts: list[str]) -> tuple[Any, Any, Any]:
    """What transformers itself makes of images and texts, through its own processor; and the model."""
    from transformers import AutoModel, AutoProcessor, BlipForImageTextRetrieval

    source = encoder.id.removeprefix("hf:")
    kind = json.loads((Path(source) / "config.json").read_text())["model_type"]
    model = (BlipForImageTextRetrieval if kind == "blip" else AutoModel).from_pretrained(source).eval()
    processor = AutoProcessor.from_pretrained(source)
    pixels = torch.from_numpy(np.stack([encoder.prepare(image) for image in images]))
    padding = {"padding": "max_length", "max_length": 64} if kind == "siglip" else {"padding": True}
    words = processor.tokenizer(texts, **padding, return_tensors="pt")
    with torch.inference_mode():
        if kind == "blip":
            rows = model(words.input_ids, pixels, use_itm_head=False, attention_mask=words.attention_mask)
            return rows.itm_score.numpy(), None, model
        image_rows = model.get_image_features(pixel_values=pixels).pooler_output
        mask = {} if kind == "siglip" else {"attention_mask": words.attention_mask}
        return (
            image_rows.numpy(),
            model.get_text_features(input_ids=words.input_ids, **mask).pooler_output.numpy(),
            model,
        )


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_the_vectors_are_the_models_own(kind: str, loaded: dict[str, Any]) -> None:
    images, texts, model = own_embeddings(loaded[kind], pictures(), TEXTS)
    np.testing.assert_allclose(loaded[kind].encode_images(pictures()), images, atol=1e-5)
    np.testing.assert_allclose(loaded[kind].encode_texts(TEXTS), texts, atol=1e-5)
    assert loaded[kind].scale == pytest.approx(np.exp(3.0), rel=1e-6)
    bias = float(model.logit_bias.detach()) if kind == "siglip" else None
    assert loaded[kind].logit_bias == bias


def test_blips_cosines_are_the_models_own(loaded: dict[str, Any]) -> None:
    cosines, _, _ = own_embeddings(loaded["blip"], pictures(), TEXTS)
    images, texts = loaded["blip"].encode_images(pictures()), loaded["blip"].encode_texts(TEXTS)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    np.testing.assert_allclose(images @ texts.T, cosines, atol=1e-5)
    assert loaded["blip"].scale == pytest.approx(14.2857, abs=1e-3)
    assert loaded["blip"].logit_bias is None


@pytest.mark.parametrize("kind", MAKERS)
def test_the_preprocessing_is_the_models_own(kind: str, loaded: dict[str, Any], folder: Path) -> None:
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(folder / kind, backend="pil")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    expected = processor(image, return_tensors="np")["pixel_values"][0]
    np.testing.assert_array_equal(loaded[kind].prepare(image), expected)


@pytest.mark.parametrize(
    ("kind", "image_columns", "image_bias", "text_bias", "residual"),
    [("clip", 16, False, False, False), ("siglip", 24, True, True, True), ("blip", 16, True, True, False)],
)
def test_activations_through_the_last_layer(
    kind: str, image_columns: int, image_bias: bool, text_bias: bool, residual: bool, loaded: dict[str, Any]
) -> None:
    encoder = loaded[kind]
    assert isinstance(encoder, ActivationEncoder)
    batch = np.stack([encoder.prepare(image) for image in pictures() * 3])  # more than one part
    towers = [
        (encoder.image_projection(), encoder.encode_activations(batch), encoder.encode_prepared(batch)),
        (encoder.text_projection(), encoder.encode_text_activations(TEXTS), encoder.encode_texts(TEXTS)),
    ]
    for layer, found, own in towers:
        assert layer.weight.shape == (encoder.width, found.values.shape[1])
        z = found.values.astype(np.float64) @ layer.weight.T.astype(np.float64)
        z = z if layer.bias is None else z + layer.bias
        z = z if found.residual is None else z + found.residual
        np.testing.assert_allclose(z, own, rtol=0, atol=2e-6 * np.abs(own).max())
    (image, found, _), (text, text_found, _) = towers
    assert found.values.shape[1] == image_columns
    assert (image.bias is not None, text.bias is not None) == (image_bias, text_bias)
    assert (found.residual is not None, text_found.residual) == (residual, None)


def test_the_fingerprint_is_of_weights_and_preprocessing_not_of_the_place(
    folder: Path, tmp_path: Path
) -> None:
    first = load_encoder(f"hf:{folder / 'clip'}").fingerprint
    shutil.copytree(folder / "clip", tmp_path / "elsewhere")
    assert load_encoder(f"hf:{tmp_path / 'elsewhere'}").fingerprint == first
    settings = json.loads((tmp_path / "elsewhere" / "preprocessor_config.json").read_text())
    (tmp_path / "elsewhere" / "preprocessor_config.json").write_text(
        json.dumps(settings | {"image_mean": [0.5, 0.5, 0.5]})
    )
    assert load_encoder(f"hf:{tmp_path / 'elsewhere'}").fingerprint != first
    save("clip", tmp_path / "other", seed=1)
    assert load_encoder(f"hf:{tmp_path / 'other'}").fingerprint != first


def refused(encoder_id: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        load_encoder(encoder_id)
    assert "\n" not in str(caught.value)


def test_mistakes_in_one_line(folder: Path, tmp_path: Path) -> None:
    refused("hf:", "cannot read the encoder 'hf:'; expected")
    refused("hf:nothing", "no folder nothing here, and no name of a repository")
    refused(f"hf:{tmp_path}", "holds no config.json")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    refused(f"hf:{tmp_path}", "is a model of type 'bert'; clip, siglip, blip are known here")
    (tmp_path / "config.json").write_text("junk")
    refused(f"hf:{tmp_path}", "no configuration of a model")
    shutil.copytree(folder / "clip", tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"junk")
    refused(f"hf:{tmp_path / 'broken'}", "cannot load the model in .*broken")


def test_a_checkpoint_that_lacks_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    """transformers would leave them at random, and say so in a log."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder / "siglip", tmp_path / "lacking")
    weights = load_file(tmp_path / "lacking" / "model.safetensors")
    del weights["vision_model.head.mlp.fc2.weight"]
    save_file(weights, tmp_path / "lacking" / "model.safetensors", metadata={"format": "pt"})
    refused(
        f"hf:{tmp_path / 'lacking'}",
        "lacks 1 weights of SiglipModel, such as vision_model.head.mlp.fc2.weight",
    )


def test_no_network_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    def no_network(*_: object, **__: object) -> None:
        raise socket.gaierror("no network")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    check_encoder_id("hf:google/siglip-base-patch16-224")
    refused(
        "hf:google/siglip-base-patch16-224", r"could not be fetched \(no network connection\).*folder on this"
    )


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refused("hf:google/siglip-base-patch16-224", r'pip install "probal\[hf\]"')
