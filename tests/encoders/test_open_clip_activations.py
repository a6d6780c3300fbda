"""Activations of open_clip's towers: through the last layer they give the model's own embeddings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_conformance import TEXTS, pictures

from probal.encoders import ActivationEncoder, Activations, LinearMap, load_encoder
from probal.encoders._torchvision import make_torchvision_importable
from probal.errors import UserError

pytestmark = pytest.mark.embedded  # open_clip comes with that extra

WIDTH = {"siglip": 12, "bare": 12}  # whose image tower adds nothing behind its pool; the others: 10
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}


def timm(model: str, pool: str, proj: str | None, bias: bool = False) -> dict[str, Any]:
    names = {"timm_model_name": model, "timm_pool": pool, "timm_proj": proj, "timm_proj_bias": bias}
    return {"image_size": 32, "timm_model_pretrained": False, **names}


# name: vision_cfg, text_cfg, P of the images, P of the texts, image bias, text bias, residual
TOWERS: dict[str, tuple[dict[str, Any], dict[str, Any], int, int, bool, bool, bool]] = {
    "vit": (VIT, TEXT, 32, 32, False, False, False),
    "resnet": (
        {"image_size": 64, "layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        TEXT,
        *(128, 32, True, False, False),
    ),
    "siglip": (
        timm("probal_tiny_vit", "map", "none"),
        {**TEXT, "no_causal_mask": True, "proj_bias": True, "pool_type": "last"},
        *(48, 32, True, True, True),
    ),
    "mobileclip": (timm("probal_tiny_fastvit", "avg", None), TEXT, 32, 32, True, False, False),
    "mobileclip-b": (timm("probal_tiny_vit", "token", None), TEXT, 12, 32, True, False, False),
    "timm-linear": (timm("probal_tiny_vit", "token", "linear"), TEXT, 12, 32, False, False, False),
    "timm-mlp": (timm("probal_tiny_vit", "token", "mlp", bias=True), TEXT, 20, 32, True, False, False),
    "coca": (
        {**VIT, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        {**TEXT, "context_length": 76, "embed_cls": True, "output_tokens": True},
        *(10, 32, False, False, False),
    ),
    "bare": (
        timm("probal_tiny_vit", "token", "none"),
        {**TEXT, "width": 12, "proj_type": "none"},
        *(0, 0, False, False, False),
    ),
}
LINEAR = [name for name in TOWERS if name != "bare"]
PLAIN_TEXT = ("vit", "resnet")


def register_timm_models() -> None:
    from timm.models import register_model
    from timm.models.fastvit import FastVit
    from timm.models.vision_transformer import VisionTransformer

    def probal_tiny_vit(num_classes: int = 5, global_pool: str = "token", **_: Any) -> torch.nn.Module:
        model = VisionTransformer(
            img_size=32, patch_size=8, embed_dim=12, depth=1, num_heads=2,
            class_token=global_pool == "token", num_classes=num_classes, global_pool=global_pool,
        )  # fmt: skip
        model.default_cfg = {}
        return model

    def probal_tiny_fastvit(num_classes: int = 5, global_pool: str = "avg", **_: Any) -> torch.nn.Module:
        return FastVit(
            layers=(1, 1, 1, 1), embed_dims=(8, 8, 8, 16), mlp_ratios=(2, 2, 2, 2),
            token_mixers=("repmixer",) * 4, num_classes=num_classes, global_pool=global_pool,
        )  # fmt: skip

    register_model(probal_tiny_vit)
    register_model(probal_tiny_fastvit)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Any:
    make_torchvision_importable()
    import open_clip

    folder = tmp_path_factory.mktemp("towers")
    register_timm_models()
    encoders: dict[str, Any] = {}

    def load(name: str) -> Any:
        if name not in encoders:
            vision, text = TOWERS[name][:2]
            model = (
                f"probal-{list(TOWERS).index(name)}-test"  # open_clip would fetch a tokenizer for "siglip"
            )
            config = {"embed_dim": WIDTH.get(name, 10), "vision_cfg": vision, "text_cfg": text}
            if name == "coca":
                config["multimodal_cfg"] = TEXT
            (folder / f"{model}.json").write_text(
                json.dumps({**config, "custom_text": name not in PLAIN_TEXT})
            )
            open_clip.add_model_config(folder / f"{model}.json")
            encoders[name] = load_encoder(f"open_clip:{model}/{save(model, folder / f'{name}.pt')}")
        return encoders[name]

    return load


def save(name: str, path: Path) -> Path:
    import open_clip

    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, value in open_clip.create_model(name).state_dict().items():
        drawn = torch.randn(value.shape, generator=generator) * 0.2
        if key.endswith("running_var"):
            drawn = drawn.abs() + 0.5
        state[key] = drawn if value.is_floating_point() else value
    torch.save(state, path)
    return path


def embeddings(layer: LinearMap, found: Activations) -> np.ndarray:
    z = found.values.astype(np.float64) @ layer.weight.T.astype(np.float64)
    z = z if layer.bias is None else z + layer.bias
    return z if found.residual is None else z + found.residual


def assert_equal(rebuilt: np.ndarray, own: np.ndarray) -> None:
    np.testing.assert_allclose(rebuilt, own, rtol=0, atol=2e-6 * np.abs(own).max())


@pytest.mark.parametrize("name", LINEAR)
def test_images_through_the_last_layer(name: str, load: Any) -> None:
    encoder = load(name)
    _, _, columns, _, has_bias, _, has_residual = TOWERS[name]
    batch = np.stack([encoder.prepare(image) for image in pictures() * 3])  # more than one part
    layer, found = encoder.image_projection(), encoder.encode_activations(batch)
    assert layer.weight.shape == (encoder.width, columns)
    assert found.values.shape == (len(batch), columns)
    assert found.values.dtype == layer.weight.dtype == np.float32
    assert (layer.bias is not None, found.residual is not None) == (has_bias, has_residual)
    assert_equal(embeddings(layer, found), encoder.encode_prepared(batch))
    assert encoder.encode_activations(batch[:0]).values.shape == (0, columns)


@pytest.mark.parametrize("name", LINEAR)
def test_texts_through_the_last_layer(name: str, load: Any) -> None:
    encoder = load(name)
    _, _, _, columns, _, has_bias, _ = TOWERS[name]
    layer, found = encoder.text_projection(), encoder.encode_text_activations(TEXTS)
    assert layer.weight.shape == (encoder.width, columns)
    assert found.values.shape == (len(TEXTS), columns)
    assert (layer.bias is not None, found.residual is None) == (has_bias, True)
    assert_equal(embeddings(layer, found), encoder.encode_texts(TEXTS))
    assert encoder.encode_text_activations([]).values.shape == (0, columns)


@pytest.mark.parametrize("name", LINEAR)
def test_taking_apart_leaves_the_model_alone(name: str, load: Any) -> None:
    encoder = load(name)
    fresh: Any = load_encoder(encoder.id)
    before = fresh.encode_images(pictures()), fresh.encode_texts(TEXTS)
    trainable = [each.requires_grad for each in fresh._model.parameters()]
    fresh.image_projection(), fresh.text_projection()
    fresh.encode_text_activations(TEXTS)
    assert [each.requires_grad for each in fresh._model.parameters()] == trainable
    np.testing.assert_array_equal(fresh.encode_images(pictures()), before[0])
    np.testing.assert_array_equal(fresh.encode_texts(TEXTS), before[1])
    assert fresh.fingerprint == encoder.fingerprint


def test_activations_are_offered(load: Any) -> None:
    assert isinstance(load("vit"), ActivationEncoder)


def test_a_tower_without_a_linear_end_is_refused_in_one_line(load: Any) -> None:
    encoder = load("bare")
    assert encoder.encode_images(pictures()).shape == (len(pictures()), 12)
    batch = np.stack([encoder.prepare(image) for image in pictures()])
    asked = {
        "image": (encoder.image_projection, lambda: encoder.encode_activations(batch)),
        "text": (encoder.text_projection, lambda: encoder.encode_text_activations(TEXTS)),
    }
    for kind, calls in asked.items():
        for call in calls:
            with pytest.raises(UserError, match=f"the {kind} tower of .* does not end in a linear") as caught:
                call()
            assert "\n" not in str(caught.value)


def test_a_layer_behind_the_last_one_is_noticed(load: Any) -> None:
    encoder: Any = load_encoder(load("siglip").id)
    encoder._model.visual.trunk.fc_norm = torch.nn.LayerNorm(12)
    with pytest.raises(UserError, match="does not end in a linear map"):
        encoder.image_projection()
