"""Files to upright RGB images, with one readable reason where that fails."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 200_000_000
"""Larger images are refused: a few bytes can claim any size. Phones take photographs of 108 and 200 million."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow warns above its limit and refuses above twice that
# of damaged metadata beside good pixels; nothing a user could act on
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

# stubs that Pillow identifies and cannot decode, a video container, and PostScript, which runs Ghostscript
_NOT_DECODABLE = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})

Image.init()
FORMATS: tuple[str, ...] = tuple(sorted(set(Image.OPEN) - _NOT_DECODABLE))
"""Names of the formats that Pillow decodes on its own."""

IMAGE_SUFFIXES: frozenset[str] = frozenset(
    suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS
)
"""Lower-case suffixes with the dot; a file with another one is not taken for an image."""


class UnreadableImage(ValueError):
    """A file that is no image, or a damaged one; the message is one line for the user."""


def open_image(source: Path | bytes, at_least: int | None = None) -> Image.Image:
    """The first frame of an image, upright (EXIF), RGB, on white where it is transparent.

    `at_least` lets a JPEG be decoded at 1/2, 1/4 or 1/8 of its size, no side below that many pixels: much
    faster, for thumbnails. Greyscale of 16 bits keeps its upper 8; 32-bit and float pixels, which have no
    agreed white, are stretched from their minimum to their maximum.

    Raises :class:`UnreadableImage`, whatever Pillow's plugin raised.
    """
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
        ) as image:
            _check_size(image)
            if at_least is not None:
                image.draft("RGB", (at_least, at_least))
            image.load()
            return _rgb(_upright(image))
    except Exception as error:
        # Pillow's parsers raise nearly anything on broken bytes: OSError, SyntaxError, struct.error …
        raise UnreadableImage(_reason(error)) from error


def check_readable(stream: BinaryIO) -> tuple[int, int]:
    """Width and height in pixels, after EXIF orientation, of an image whose whole data could be decoded.

    A JPEG is decoded at an eighth of its size: the entropy coded data is still read to its end, so that a
    truncated file is found, and the inverse transform, most of the cost, is all but skipped.

    Raises :class:`UnreadableImage`.
    """
    try:
        with Image.open(stream, formats=FORMATS) as image:
            _check_size(image)
            width, height = image.size
            if image.getexif().get(0x0112) in (5, 6, 7, 8):  # orientations turned by a quarter
                width, height = height, width
            image.draft("L", (1, 1))
            image.load()
            return width, height
    except Exception as error:  # see open_image
        raise UnreadableImage(_reason(error)) from error


def read_verified(path: Path, content_hash: str) -> bytes:
    """The bytes of a file, if they are still those that the scan hashed.

    Raises :class:`UnreadableImage` where the file is gone, cannot be read or has changed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(_reason(error)) from error
    if hashlib.sha256(data).hexdigest() != content_hash:
        raise UnreadableImage("the file has changed since it was scanned; scan the folder again")
    return data


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, struct.error, OSError):
        return image  # a damaged EXIF block says nothing about the pixels; viewers show the image as stored


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        image = Image.fromarray(_stretch(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _stretch(pixels: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    return np.round((values - low) / (high - low or 1.0) * 255).astype(np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file is no longer there"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or in a format that Pillow does not know"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"larger than the limit of {MAX_PIXELS // 10**6} megapixels"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    return " ".join(str(error).split())[:200] or type(error).__name__
