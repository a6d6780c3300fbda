"""What a loaded pair of towers does the same wherever it comes from: batches over cores, and activations."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from probal.encoders._cores import over_parts
from probal.encoders.activations import Activations, LinearMap, embeddings_of
from probal.encoders.base import ImageTower
from probal.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from probal.encoders._towers import Split

BFLOAT16 = "@bfloat16"
"""At the end of an encoder id: the image tower before its last layer in bfloat16, which some CPUs compute faster."""
_BATCH = 16  # images or texts that a core takes at a time


class TwoTowers(ImageTower):
    """Embeddings and activations of a torch model; what loads one fills in the abstract parts."""

    id: str
    width: int
    scale: float
    _halved = False

    def _use_bfloat16(self, tower: nn.Module) -> None:
        """Halves the weights of the image tower, its last layer aside; UserError where it has no such layer.

        Texts stay in float32: they are few, and every image is compared with them.
        """
        import torch

        split = self._image_split  # proved, and its last layer taken, while all is float32
        body = split.body
        tower.bfloat16()  # in place: the body shares these weights
        self.__dict__["_image_split"] = replace(
            split, body=lambda images: body(images.to(torch.bfloat16)).float()
        )
        self._halved = True

    @abstractmethod
    def _tokens(self, texts: Sequence[str]) -> Tensor:
        """Token ids [C, T] of at least one text."""

    @abstractmethod
    def _embed_image_part(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] to embeddings [B, D], not normalized."""

    @abstractmethod
    def _embed_text_part(self, tokens: Tensor) -> Tensor:
        """[C, T] to embeddings [C, D], not normalized."""

    @abstractmethod
    def _split_image(self) -> Split | None:
        """The image tower before its last linear map; None where none is known."""

    @abstractmethod
    def _split_text(self) -> Split | None:
        """The text tower before its last linear map; None where none is known."""

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """float32 [B, 3, H, W] to embeddings [B, D]."""
        import torch

        if self._halved:
            return embeddings_of(self.image_projection(), self.encode_activations(batch))
        return over_parts(self._embed_image_part, torch.from_numpy(batch).split(_BATCH))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Prompts to embeddings [C, D]."""
        if not texts:
            return np.empty((0, self.width), np.float32)
        return over_parts(self._embed_text_part, self._tokens(texts).split(_BATCH))

    def image_projection(self) -> LinearMap:
        """The image tower's last layer; UserError where the tower does not end in a linear map."""
        return _linear_map(self._image_split)

    def text_projection(self) -> LinearMap:
        """The text tower's last layer; UserError where the tower does not end in a linear map."""
        return _linear_map(self._text_split)

    def encode_activations(self, batch: np.ndarray) -> Activations:
        """float32 [B, 3, H, W] to the image tower's activations [B, P]; UserError as `image_projection`."""
        import torch

        return _activations(self._image_split, torch.from_numpy(batch))

    def encode_text_activations(self, texts: Sequence[str]) -> Activations:
        """Prompts to the text tower's activations [C, P]; UserError as `text_projection`."""
        return _activations(self._text_split, self._tokens(list(texts) or ["a"])[: len(texts)])

    @cached_property
    def _image_split(self) -> Split:
        import torch

        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        probe = torch.from_numpy(self.prepare(Image.fromarray(noise)))[None]
        return self._proved(self._split_image(), self._embed_image_part, probe, "image")

    @cached_property
    def _text_split(self) -> Split:
        return self._proved(
            self._split_text(), self._embed_text_part, self._tokens(["a photo of a cat."]), "text"
        )

    def _proved(
        self, split: Split | None, tower: Callable[[Tensor], Tensor], probe: Tensor, kind: str
    ) -> Split:
        """The split if it gives the tower's own embedding of the probe; models differ behind their last layer."""
        import torch

        with torch.inference_mode():
            if split is None or not split.rebuilds(probe, tower(probe)):
                raise UserError(
                    f"the {kind} tower of {self.id!r} does not end in a linear map that is known here, so "
                    "BayesVLM has no layer to be uncertain about; choose a CLIP, SigLIP or MobileCLIP model"
                )
        return split


def weights_fingerprint(about: str, model: nn.Module) -> str:
    """Hex of `about` (the architecture and the preprocessing) and of every weight with its name, type and shape."""
    import torch

    digest = hashlib.sha256(about.encode())
    for key, tensor in model.state_dict().items():
        digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def _linear_map(split: Split) -> LinearMap:
    bias = None if split.bias is None else split.bias.numpy()
    return LinearMap(split.weight.contiguous().numpy(), bias)


def _activations(split: Split, inputs: Tensor) -> Activations:
    width, columns = split.weight.shape
    if len(inputs):
        out = over_parts(split.body, inputs.split(_BATCH))
    else:
        out = np.empty((0, columns + split.residual * width), np.float32)
    return Activations(out[:, :columns], out[:, columns:] if split.residual else None)
