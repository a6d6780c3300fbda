"""open_clip on a tiny model with seeded random weights, saved as a local checkpoint; no network."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_conformance import EncoderConformance, pictures

from probal.encoders import check_encoder_id, load_encoder
from probal.encoders._torchvision import make_torchvision_importable
from probal.encoders.base import Encoder
from probal.errors import UserError

pytestmark = pytest.mark.embedded  # open_clip comes with that extra

MODEL = "probal-tiny-test"
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def save(path: Path, seed: int, logit_scale: float = 3.0) -> Path:
    import open_clip

    model = open_clip.create_model(MODEL)
    generator = torch.Generator().manual_seed(seed)
    state = {
        key: torch.randn(value.shape, generator=generator) * 0.1 if value.is_floating_point() else value
        for key, value in model.state_dict().items()
    }
    state["logit_scale"] = torch.tensor(logit_scale)
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    make_torchvision_importable()
    import open_clip

    folder = tmp_path_factory.mktemp("open_clip")
    (folder / f"{MODEL}.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder / f"{MODEL}.json")
    save(folder / "weights.pt", seed=0)
    return folder


@pytest.fixture(scope="module")
def tiny(folder: Path) -> Encoder:
    return load_encoder(f"open_clip:{MODEL}/{folder / 'weights.pt'}")


class TestOpenClipConformance(EncoderConformance):
    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls, tiny: Encoder) -> Encoder:
        return tiny


def test_embeddings_are_open_clips_own(tiny: Encoder, folder: Path) -> None:
    import open_clip

    model, _, preprocess = open_clip.create_model_and_transforms(MODEL, str(folder / "weights.pt"))
    model.eval()
    with torch.inference_mode():
        images = torch.stack([preprocess(image) for image in pictures()])
        texts = open_clip.get_tokenizer(MODEL)(["a photo of a cat.", "dog"])
        expected_images, expected_texts = model.encode_image(images), model.encode_text(texts)
    np.testing.assert_allclose(tiny.encode_images(pictures()), expected_images.numpy(), atol=1e-5)
    np.testing.assert_allclose(
        tiny.encode_texts(["a photo of a cat.", "dog"]), expected_texts.numpy(), atol=1e-5
    )


def test_facts_are_the_models(tiny: Encoder) -> None:
    assert tiny.width == 16
    assert tiny.scale == pytest.approx(np.exp(3.0))
    assert tiny.centred is False
    assert tiny.default_template == "a photo of a {}."


def test_fingerprint_follows_the_weights_and_not_the_path(
    tiny: Encoder, folder: Path, tmp_path: Path
) -> None:
    def fingerprint(path: Path) -> str:
        return load_encoder(f"open_clip:{MODEL}/{path}").fingerprint

    assert fingerprint(save(tmp_path / "moved.pt", seed=0)) == tiny.fingerprint
    assert fingerprint(save(tmp_path / "other.pt", seed=1)) != tiny.fingerprint


def test_fingerprint_follows_the_preprocessing(tiny: Encoder) -> None:
    encoder: Any = load_encoder(tiny.id)
    encoder._model.visual.preprocess_cfg["mean"] = (0.0, 0.0, 0.0)
    assert encoder.fingerprint != tiny.fingerprint


def refused(encoder_id: str, match: str) -> None:
    with pytest.raises(UserError, match=match) as caught:
        load_encoder(encoder_id)
    assert "\n" not in str(caught.value)


def test_bad_ids_and_files_are_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    for encoder_id in (
        "open_clip:",
        "open_clip:ViT-B-32",
        "open_clip:/x",
        "open_clip:hf-hub:x",
        "open_clip:a/",
    ):
        refused(encoder_id, "cannot read the encoder")
    refused("open_clip:ViT-Z-99/openai", "no model 'ViT-Z-99'")
    refused("open_clip:ViT-B-32/nonsense", "no pretrained tag 'nonsense'; it has openai")
    refused(f"open_clip:{MODEL}/nonsense", "it has none, so give the path")
    refused(f"open_clip:{MODEL}/{tmp_path}/no.pt", "no such checkpoint file")
    (tmp_path / "junk.pt").write_bytes(b"no checkpoint" * 50)
    refused(f"open_clip:{MODEL}/{tmp_path}/junk.pt", "cannot load .*junk.pt as a checkpoint of")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    refused(f"open_clip:{MODEL}/{tmp_path}/other.pt", "cannot load .*other.pt as a checkpoint of")


def test_a_checkpoint_cannot_run_code(folder: Path, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": Payload()}, tmp_path / "evil.pt")
    refused(f"open_clip:{MODEL}/{tmp_path}/evil.pt", "cannot load .*evil.pt as a checkpoint of")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("rest", ["RN50/openai", "hf-hub:nobody/nothing"])
def test_no_network_is_told_at_once(
    rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    def no_network(*_: object, **__: object) -> None:
        raise socket.gaierror("no network")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waits before it tries again"))
    refused(
        f"open_clip:{rest}",
        r"could not be fetched \(no network connection\).*checkpoint file on this machine",
    )
    assert capfd.readouterr() == ("", "")
    assert constants.HF_HUB_OFFLINE is False


def test_known_ids_pass_the_check_without_loading() -> None:
    check_encoder_id("open_clip:ViT-B-32/laion2b_s34b_b79k")
    check_encoder_id("open_clip:hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K")


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refused("open_clip:ViT-B-32/openai", r'pip install "probal\[open-clip\]"')
