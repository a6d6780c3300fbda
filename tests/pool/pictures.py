"""Small images drawn for the tests of this room."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """An RGB image whose pixels are all random, so that its file is as long as it gets."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def save(path: Path, seed: int = 0, size: tuple[int, int] = (40, 30), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise(seed, size).save(path, **options)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
