"""What an encoder is: two towers into one space, with what is needed to use and to cache their vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image


class Encoder(Protocol):
    """Images and texts to vectors of one joint space, D wide. Deterministic; both towers are frozen.

    `prepare` runs in many threads at once; `encode_prepared` and `encode_texts` in one at a time.
    """

    @property
    def id(self) -> str:
        """What :func:`probal.encoders.load_encoder` was asked for."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hex; names the cache of image vectors, so it changes with the weights and the preprocessing."""
        ...

    @property
    def width(self) -> int:
        """D."""
        ...

    @property
    def scale(self) -> float:
        """Logit scale to start from: logits are scale times a cosine."""
        ...

    @property
    def centred(self) -> bool:
        """Whether image vectors are to be centred, before they are normalized, by a mean frozen at project
        start. Class rows come centred already."""
        ...

    @property
    def default_template(self) -> str:
        """Prompt with one `{}` for the class name."""
        ...

    def prepare(self, image: Image.Image) -> np.ndarray:
        """An upright RGB image to the array that the tower reads; resizing and all that threads can share."""
        ...

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """Stacked results of `prepare` [B, …] to vectors [B, D], float32, not normalized."""
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Upright RGB images to vectors [B, D], float32, not normalized."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Prompts to class rows [C, D], float32, not normalized."""
        ...


class ImageTower(ABC):
    """`encode_images` from the two halves, for encoders to inherit."""

    width: int

    @abstractmethod
    def prepare(self, image: Image.Image) -> np.ndarray: ...

    @abstractmethod
    def encode_prepared(self, batch: np.ndarray) -> np.ndarray: ...

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Upright RGB images to vectors [B, D], float32, not normalized."""
        if not images:
            return np.empty((0, self.width), np.float32)
        return self.encode_prepared(np.stack([self.prepare(image) for image in images]))
