"""The encoder `auto`: the recommended open_clip weights where they can be had, else `embedded`, and why."""

from __future__ import annotations

from typing import NamedTuple

from probal.encoders._hub import hub_reachable

# the ViT-B with the fewest patches, so the cheapest on a CPU, and BayesVLM's authors publish a posterior for it
RECOMMENDED = "open_clip:ViT-B-32/laion2b_s34b_b79k"
_REPOSITORY = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"  # where open_clip has that tag's weights from
_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # in the order it looks for them
_TIMEOUT = 3.0  # seconds for an answer about each file


class EncoderChoice(NamedTuple):
    """A concrete encoder id and, where `auto` was asked for, why it is this one."""

    id: str
    reason: str = ""


def choose_encoder() -> EncoderChoice:
    """Looks in the hub's local cache, then asks the hub about the file, seconds at most; downloads nothing.

    The hub's client, which comes with open_clip, must be installed.
    """
    if _cached():
        return EncoderChoice(RECOMMENDED, "its weights are on this machine")
    problem = _refusal()
    if problem is None:
        return EncoderChoice(RECOMMENDED, "its weights, 0.6 GB, can be downloaded")
    why = f"the weights of {RECOMMENDED} are not on this machine and cannot be fetched"
    return EncoderChoice("embedded", f"{why} ({problem})")


def _cached() -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(_REPOSITORY, name), str) for name in _FILES)


def _refusal() -> str | None:
    """Why the hub does not offer the weights, in words; None where it does."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    if not hub_reachable():
        return "no network"
    problem = ""
    for name in _FILES:
        try:
            get_hf_file_metadata(hf_hub_url(_REPOSITORY, name), timeout=_TIMEOUT)
        except Exception as error:  # the hub's HTTP client, whose errors these are, changes with its versions
            problem = str(error).strip().split("\n")[0] or type(error).__name__
        else:
            return None
    return problem
