"""`auto`: what it stands for with weights cached, offered, out of reach, and without open_clip; no network."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from typing import Any

import pytest
from encoder_conformance import pictures

from probal.encoders import auto, check_encoder_id, load_encoder, resolve_encoder_id
from probal.encoders.auto import RECOMMENDED, EncoderChoice
from probal.errors import UserError

pytestmark = pytest.mark.embedded  # open_clip and the hub's client come with that extra

REPOSITORY = "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K"


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty cache, and a hub that cannot be reached; lists the addresses that were looked up."""
    from huggingface_hub import constants

    asked: list[str] = []

    def look_up(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror("no network")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return asked


def hub_answers(monkeypatch: pytest.MonkeyPatch, has: str | None) -> list[tuple[str, float]]:
    """The hub can be reached and has one file; lists what it was asked about, with the timeout."""
    questions = []

    def metadata(url: str, *, timeout: float) -> object:
        questions.append((url.rpartition("/")[2], timeout))
        if has is None or not url.endswith(has):
            raise RuntimeError("not found")
        return object()

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", metadata)
    monkeypatch.setattr(auto, "hub_reachable", lambda: True)
    return questions


@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_cached_weights_are_taken_without_asking(file: str, tmp_path: Path, asked: list[str]) -> None:
    snapshot = tmp_path / REPOSITORY / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / file).write_bytes(b"weights")
    (tmp_path / REPOSITORY / "refs").mkdir()
    (tmp_path / REPOSITORY / "refs" / "main").write_text("abc")
    assert resolve_encoder_id("auto") == (RECOMMENDED, "its weights are on this machine")
    assert asked == []


@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_weights_that_the_hub_offers_are_taken(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = hub_answers(monkeypatch, file)
    choice = resolve_encoder_id("auto")
    assert choice.id == RECOMMENDED
    assert "can be downloaded" in choice.reason
    assert questions[-1] == (file, 3.0)


def test_out_of_reach_it_is_embedded_and_says_why(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    choice = resolve_encoder_id("auto")
    assert choice.id == "embedded"
    assert f"{RECOMMENDED} are not on this machine and cannot be fetched" in choice.reason
    assert choice.reason.endswith("(no network)")
    assert asked == ["huggingface.co"]
    assert len(hub_answers(monkeypatch, None)) == 0
    refused = resolve_encoder_id("auto")
    assert refused.id == "embedded"
    assert refused.reason.endswith("(not found)")  # the hub's own word, not swallowed


def test_offline_asks_nobody(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert resolve_encoder_id("auto").id == "embedded"
    assert asked == []


def test_without_open_clip_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for ask in (check_encoder_id, resolve_encoder_id, load_encoder):
        with pytest.raises(
            UserError, match=r'needs open_clip; run pip install "probal\[open-clip\]"'
        ) as caught:
            ask("auto")  # type: ignore[operator]
        assert "\n" not in str(caught.value)


def test_the_encoder_has_the_chosen_id() -> None:
    check_encoder_id("auto")
    encoder = load_encoder("auto")
    assert encoder.id == "embedded"
    assert encoder.encode_images(pictures()[:1]).shape == (1, encoder.width)


def test_the_recommended_weights_are_open_clips() -> None:
    from probal.encoders._torchvision import make_torchvision_importable

    make_torchvision_importable()
    import open_clip

    check_encoder_id(RECOMMENDED)
    name, _, tag = RECOMMENDED.removeprefix("open_clip:").partition("/")
    found: dict[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    assert found["hf_hub"].strip("/") == auto._REPOSITORY


def test_another_id_stays_as_it_is(asked: list[str]) -> None:
    assert resolve_encoder_id("embedded") == EncoderChoice("embedded", "")
    assert asked == []
