"""Models of open_clip: contrastive pairs of towers, from a pretrained tag, a local checkpoint or the hub."""

from __future__ import annotations

import importlib.util
import json
import sys
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

    from probal.encoders._towers import Split

_PREFIX = "open_clip:"
_HUB = "hf-hub:"
_CHECKPOINTS = {".bin", ".npz", ".pt", ".pth", ".safetensors"}
_FORM = "`open_clip:<model>/<pretrained tag or checkpoint file>` or `open_clip:hf-hub:<owner>/<repo>`"


class OpenClipEncoder(TwoTowers):
    """Embeddings and activations of an open_clip model; the logit scale is the trained one."""

    centred = False
    default_template = "a photo of a {}."

    def __init__(self, encoder_id: str) -> None:
        """Loads the model; a tag or a hub's repository is downloaded unless it is cached.

        Raises UserError in one line for an unknown model or tag, a missing package, a checkpoint that does
        not fit, or weights that cannot be fetched.
        """
        check_id(encoder_id)
        make_torchvision_importable()
        self.id = encoder_id
        self._name, self._pretrained = _split(encoder_id)
        self._model, self._preprocess, self._tokenizer = _load(encoder_id, self._name, self._pretrained)
        self._model.eval()
        self.scale = float(self._model.logit_scale.detach().exp())
        bias = getattr(self._model, "logit_bias", None)
        self.logit_bias = None if bias is None else float(bias.detach())  # SigLIP's loss has one
        self.width = self.encode_texts(["a"]).shape[1]
        if encoder_id.endswith(BFLOAT16):
            self._use_bfloat16(self._model.visual)

    @cached_property
    def fingerprint(self) -> str:
        """Hex; of the architecture, every weight and the preprocessing, wherever the checkpoint lies."""
        preprocessing = json.dumps(self._model.visual.preprocess_cfg, sort_keys=True)
        return weights_fingerprint(f"open_clip\n{self._name}\n{preprocessing}", self._model)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """float32 [3, H, W], by open_clip's own transforms for this model."""
        return self._preprocess(image).numpy()

    def _tokens(self, texts: Sequence[str]) -> Tensor:
        tokens: Tensor = self._tokenizer(list(texts))
        return tokens

    def _embed_image_part(self, images: Tensor) -> Tensor:
        return self._model.encode_image(images, normalize=False).float()  # CoCa would normalize

    def _embed_text_part(self, tokens: Tensor) -> Tensor:
        return self._model.encode_text(tokens, normalize=False).float()

    def _split_image(self) -> Split | None:
        from probal.encoders._towers import split_image_tower

        return split_image_tower(self._model)

    def _split_text(self) -> Split | None:
        from probal.encoders._towers import split_text_tower

        return split_text_tower(self._model)


def check_id(encoder_id: str) -> None:
    """Raises UserError for a malformed id, a missing package, an unknown model or a missing checkpoint file.

    Loads nothing; whether a tag exists and can be downloaded is found out on loading.
    """
    name, pretrained = _split(encoder_id)
    spec = importlib.util.find_spec("open_clip")
    if spec is None or spec.origin is None:
        raise UserError(f'the encoder {encoder_id!r} needs open_clip; run pip install "probal[open-clip]"')
    if pretrained is None:
        return
    known = {path.stem for path in (Path(spec.origin).parent / "model_configs").glob("*.json")}
    if "open_clip" in sys.modules:  # models that were registered at run time
        known.update(sys.modules["open_clip"].list_models())
    if name not in known:
        raise UserError(f"open_clip has no model {name!r}; expected a name such as ViT-B-32, form {_FORM}")
    if _is_path(pretrained) and not Path(pretrained).expanduser().is_file():
        raise UserError(f"no such checkpoint file: {pretrained}")


def _split(encoder_id: str) -> tuple[str, str | None]:
    """Model name and tag or path; for a hub's repository its name with the prefix, and None."""
    rest = encoder_id.removeprefix(_PREFIX).removesuffix(BFLOAT16)
    if rest.startswith(_HUB):
        owner, slash, repo = rest.removeprefix(_HUB).partition("/")
        if owner and slash and repo:
            return rest, None
    else:
        name, slash, pretrained = rest.partition(
            "/"
        )  # a model's name has no slash, a path may begin with one
        if name and slash and pretrained:
            return name, pretrained
    raise UserError(f"cannot read the encoder {encoder_id!r}; expected {_FORM}")


def _is_path(pretrained: str) -> bool:
    path = Path(pretrained)
    return len(path.parts) > 1 or path.suffix in _CHECKPOINTS


def _load(encoder_id: str, name: str, pretrained: str | None) -> tuple[Any, Any, Any]:
    import open_clip

    is_path = pretrained is not None and _is_path(pretrained)
    if is_path:
        pretrained = str(Path(str(pretrained)).expanduser())
    elif pretrained is not None and pretrained not in open_clip.list_pretrained_tags_by_model(name):
        tags = open_clip.list_pretrained_tags_by_model(name)
        have = f"it has {', '.join(tags)}" if tags else "it has none, so give the path of a checkpoint file"
        raise UserError(f"open_clip's {name} has no pretrained tag {pretrained!r}; {have}")
    try:
        with fetching():
            model, preprocess = open_clip.create_model_from_pretrained(name, pretrained)
            return model, preprocess, open_clip.get_tokenizer(name)
    except Exception as error:
        # the hub's client, torch's unpickler and open_clip raise unrelated types
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        if is_path:
            raise UserError(f"cannot load {pretrained} as a checkpoint of {name}: {reason}") from error
        if not hub_reachable():
            reason = "no network connection"
        raise UserError(
            f"the weights of {encoder_id!r} could not be fetched ({reason}); try again with a network "
            "connection, or give a checkpoint file on this machine: open_clip:<model>/<path>"
        ) from error
