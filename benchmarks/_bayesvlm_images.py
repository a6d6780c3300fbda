"""Vectors of the embedded encoder that `bayesvlm.py` measures on: clothing, the same shifted, and digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from rich.progress import track
from sklearn.datasets import load_digits

from probal.encoders import Encoder

NAMES = {  # folder -> what the encoder reads
    "dress": "dress",
    "hat": "hat",
    "longsleeve": "long sleeve sweater",
    "outwear": "outerwear coat",
    "pants": "pants",
    "shirt": "shirt",
    "shoes": "shoes",
    "shorts": "shorts",
    "skirt": "skirt",
    "t-shirt": "t-shirt",
}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
Shift = Callable[[Image.Image], Image.Image]


def blurred(image: Image.Image) -> Image.Image:
    """Gaussian blur with a radius of 2 % of the shorter side."""
    return image.filter(ImageFilter.GaussianBlur(0.02 * min(image.size)))


def noised(image: Image.Image) -> Image.Image:
    """At a shorter side of 256, Gaussian noise of 50 grey levels; the same draw for images of one size."""
    share = 256 / min(image.size)
    small = image.resize((round(share * image.width), round(share * image.height)), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 50, (small.height, small.width, 3))
    return Image.fromarray((np.asarray(small) + noise).clip(0, 255).astype(np.uint8))


def gray(image: Image.Image) -> Image.Image:
    """Without colour."""
    return image.convert("L").convert("RGB")


SHIFTS: dict[str, Shift] = {"clean": lambda image: image, "blur": blurred, "noise": noised, "gray": gray}


def clothing(folder: Path, split: str, limit: int | None, seed: int) -> tuple[list[Path], np.ndarray]:
    """Paths and labels of a split, or of `limit` images of it drawn by `seed`."""
    paths = sorted((folder / split).glob("*/*.jpg"))
    if limit is not None and limit < len(paths):
        chosen = np.random.default_rng(seed).permutation(len(paths))[:limit]
        paths = [paths[i] for i in sorted(chosen)]
    classes = sorted(NAMES)
    return paths, np.array([classes.index(path.parent.name) for path in paths])


def encode(encoder: Encoder, images: Sequence[Callable[[], Image.Image]], what: str) -> np.ndarray:
    """Raw vectors [N, D], 64 images at a time."""
    parts = []
    for start in track(range(0, len(images), 64), what):
        parts.append(encoder.encode_images([load() for load in images[start : start + 64]]))
    return np.concatenate(parts)


def load_shifted(path: Path, shift: Shift) -> Image.Image:
    return shift(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def collect(encoder: Encoder, folder: Path, pool: int, n_digits: int, seed: int) -> dict[str, np.ndarray]:
    """Everything the measurements read: `<set>_x` raw vectors, `<set>_y` labels, `<names>_t` class rows."""
    found: dict[str, np.ndarray] = {}
    sets = [("pool", "train", pool, "clean"), ("fit", "validation", None, "clean")]
    sets += [(name, "test", None, name) for name in SHIFTS]
    for name, split, limit, shift in sets:
        paths, found[f"{name}_y"] = clothing(folder, split, limit, seed)
        loaders = [lambda p=path, s=SHIFTS[shift]: load_shifted(p, s) for path in paths]
        found[f"{name}_x"] = encode(encoder, loaders, f"clothing, {name}")
    digits = load_digits()
    rows = np.random.default_rng(seed).permutation(len(digits.target))[:n_digits]
    found["digits_y"] = found["inverted_y"] = digits.target[rows]
    planes = [(digits.images[row] * 255 / 16).astype(np.uint8) for row in rows]
    for name, grey in (("digits", planes), ("inverted", [255 - plane for plane in planes])):
        loaders = [
            lambda g=g: Image.fromarray(g).resize((128, 128), Image.Resampling.BICUBIC).convert("RGB")
            for g in grey
        ]
        found[f"{name}_x"] = encode(encoder, loaders, name)
    found["clothing_t"] = encoder.encode_texts([NAMES[name] for name in sorted(NAMES)])
    found["digits_t"] = encoder.encode_texts([f"the digit {name}" for name in DIGITS])
    return found
