"""Models of transformers: CLIP, SigLIP (SigLIP 2 of a fixed size too) and BLIP's image–text head."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from probal.encoders._hub import fetching, hub_reachable
from probal.encoders._torchvision import make_torchvision_importable
from probal.encoders._two_towers import BFLOAT16, TwoTowers, weights_fingerprint
from probal.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from probal.encoders._hf_towers import HFTowers
    from probal.encoders._towers import Split

_PREFIX = "hf:"
_FORM = "`hf:<owner>/<repo>` or `hf:<folder of a saved model>`"
_ARCHITECTURES = {
    "clip": "CLIPModel",
    "siglip": "SiglipModel",
    "blip": "BlipForImageTextRetrieval",
}
_TOKENS = {"siglip": 64, "blip": 35}  # as they were trained; CLIP's is in its configuration
_LONGEST = (
    8  # of a strip's sides to each other: more is cropped before resizing makes it millions of pixels long
)


class HFEncoder(TwoTowers):
    """Embeddings and activations of a model of transformers."""

    centred = False
    default_template = "a photo of a {}."

    def __init__(self, encoder_id: str) -> None:
        """Loads the model; a repository of the hub is downloaded unless it is cached.

        Raises UserError in one line for a missing package, another architecture, an incomplete folder, or
        weights that cannot be fetched.
        """
        check_id(encoder_id)
        make_torchvision_importable()
        self.id = encoder_id
        self._kind, model, self._processor, self._tokenizer = _load(encoder_id, _source(encoder_id))
        self._towers: HFTowers = _towers(self._kind)(model.eval(), self._tokenizer.pad_token_id)
        self.scale = self._towers.scale
        self.logit_bias = self._towers.logit_bias
        self.width = self.encode_texts(["a"]).shape[1]
        if encoder_id.endswith(BFLOAT16):
            self._use_bfloat16(self._towers.model.vision_model)

    @cached_property
    def fingerprint(self) -> str:
        """Hex; of the architecture, its configuration, every weight and the preprocessing."""
        config = self._towers.model.config
        about = {
            "preprocessing": _plain(self._processor.to_dict()),
            "vision": _plain(config.vision_config.to_dict()),
            "text": _plain(config.text_config.to_dict()),
        }
        return weights_fingerprint(
            f"hf\n{self._kind}\n{json.dumps(about, sort_keys=True, default=str)}", self._towers.model
        )

    def prepare(self, image: Image.Image) -> np.ndarray:
        """float32 [3, H, W], by the model's own image processor."""
        if getattr(self._processor, "do_center_crop", False):
            image = _without_far_ends(image)
        # the axes are said, or an image 3 pixels high would be read as one of channels first
        made = self._processor(np.asarray(image), input_data_format="channels_last", return_tensors="np")
        return np.asarray(made["pixel_values"][0], np.float32)

    def _tokens(self, texts: Sequence[str]) -> Tensor:
        limit = _TOKENS.get(self._kind) or self._towers.model.config.text_config.max_position_embeddings
        # SigLIP was trained on padded texts and attends to the padding; the others do not see it
        padding = "max_length" if self._kind == "siglip" else "longest"
        made = self._tokenizer(
            list(texts), padding=padding, truncation=True, max_length=limit, return_tensors="pt"
        )
        tokens: Tensor = made["input_ids"]
        return tokens

    def _embed_image_part(self, images: Tensor) -> Tensor:
        return self._towers.image(images)

    def _embed_text_part(self, tokens: Tensor) -> Tensor:
        return self._towers.text(tokens)

    def _split_image(self) -> Split | None:
        return self._towers.split_image()

    def _split_text(self) -> Split | None:
        return self._towers.split_text()


def check_id(encoder_id: str) -> None:
    """Raises UserError for a malformed id, a missing package, a folder without a model or of an unknown architecture.

    Loads nothing; whether a repository exists and can be downloaded is found out on loading.
    """
    source = _source(encoder_id)
    if importlib.util.find_spec("transformers") is None:
        raise UserError(f'the encoder {encoder_id!r} needs transformers; run pip install "probal[hf]"')
    folder = Path(source).expanduser()
    if not _is_folder(source):
        owner, slash, repo = source.partition("/")
        if not (owner and slash and repo) or "/" in repo:
            raise UserError(f"no folder {source} here, and no name of a repository; expected {_FORM}")
        return
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} holds no config.json; expected a folder written by save_pretrained")
    try:
        kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise UserError(f"{folder / 'config.json'} is no configuration of a model: {error}") from error
    _check_kind(encoder_id, kind)


def _check_kind(encoder_id: str, kind: object) -> None:
    if kind not in _ARCHITECTURES:
        raise UserError(
            f"the encoder {encoder_id!r} is a model of type {kind!r}; {', '.join(_ARCHITECTURES)} are known here"
        )


def _source(encoder_id: str) -> str:
    source = encoder_id.removeprefix(_PREFIX).removesuffix(BFLOAT16)
    if not source:
        raise UserError(f"cannot read the encoder {encoder_id!r}; expected {_FORM}")
    return source


def _is_folder(source: str) -> bool:
    return source.startswith(("/", ".", "~")) or Path(source).is_dir()


def _load(encoder_id: str, source: str) -> tuple[str, Any, Any, Any]:
    """Architecture, model, image processor and tokenizer."""
    import torch
    import transformers

    local = _is_folder(source)
    where = str(Path(source).expanduser()) if local else source
    try:
        with fetching():
            kind = transformers.AutoConfig.from_pretrained(where).model_type
            _check_kind(encoder_id, kind)
            cls = getattr(transformers, _ARCHITECTURES[kind])
            model, report = cls.from_pretrained(where, dtype=torch.float32, output_loading_info=True)
            processor = transformers.AutoImageProcessor.from_pretrained(where, backend="pil")
            tokenizer = transformers.AutoTokenizer.from_pretrained(where)
    except UserError:
        raise
    except ImportError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f'the encoder {encoder_id!r} needs a package: {reason}; run pip install "probal[hf]"'
        ) from error
    except Exception as error:
        # the hub's client, torch's unpickler and transformers raise unrelated types
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        if local:
            raise UserError(f"cannot load the model in {where}: {reason}") from error
        if not hub_reachable():
            reason = "no network connection"
        raise UserError(
            f"the weights of {encoder_id!r} could not be fetched ({reason}); try again with a network connection, "
            "or give a folder on this machine: hf:<folder of a saved model>"
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:  # transformers would leave them at random
        raise UserError(
            f"the checkpoint of {encoder_id!r} lacks {len(missing)} weights of {cls.__name__}, such as {missing[0]}"
        )
    return kind, model, processor, tokenizer


def _towers(kind: str) -> type[HFTowers]:
    from probal.encoders import _hf_towers

    return {
        "clip": _hf_towers.CLIPTowers,
        "siglip": _hf_towers.SigLIPTowers,
        "blip": _hf_towers.BLIPTowers,
    }[kind]


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Without what changes with the place or the version of the library and not the vectors."""
    unimportant = {"_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures"}
    return {key: value for key, value in settings.items() if key not in unimportant}


def _without_far_ends(image: Image.Image) -> Image.Image:
    width, height = (min(side, _LONGEST * min(image.size)) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
