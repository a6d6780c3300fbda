"""Small versions of images, cached by content hash, for the browser."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from PIL import Image

from probal.pool.decode import open_image, read_verified

THUMBNAIL_SIZES: tuple[int, ...] = (96, 320, 1280, 4096)
"""Longest side in pixels: a tile, a card, one image large, a closer look."""

_SUFFIXES = (".jpg", ".png")


def thumbnail(cache: Path, source: Path, content_hash: str, size: int) -> Path:
    """The cached file of an image whose longest side is at most `size` pixels; made where it is missing.

    Larger originals become JPEG. Smaller ones are never enlarged and lose nothing: a JPEG is kept byte for
    byte, anything else becomes PNG, so that pixel art and scanned digits stay sharp. `source` is read only.
    Safe to call from many threads and processes: a file appears whole or not at all.

    Raises ValueError for another size, UnreadableImage where the source cannot be decoded or has changed.
    """
    if size not in THUMBNAIL_SIZES:
        raise ValueError(f"thumbnail sizes are {THUMBNAIL_SIZES}, got {size}")
    if len(content_hash) != 64 or not content_hash.isalnum():
        raise ValueError(f"expected a sha256 in hex, got {content_hash!r}")
    stem = cache / content_hash[:2] / f"{content_hash}_{size}"
    for suffix in _SUFFIXES:
        cached = stem.with_suffix(suffix)
        if cached.exists():
            return cached
    data = read_verified(source, content_hash)
    # decoded at no less than twice the size, so that the fine resampling still has something to average
    image = open_image(data, at_least=2 * size)
    suffix, encoded = _encode(image, data, size)
    return _write(stem.with_suffix(suffix), encoded)


def _encode(image: Image.Image, data: bytes, size: int) -> tuple[str, bytes]:
    out = io.BytesIO()
    if max(image.size) > size:
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        image.save(out, "JPEG", quality=88, optimize=True)
        return ".jpg", out.getvalue()
    with Image.open(io.BytesIO(data)) as original:
        if original.format == "JPEG" and original.mode in ("L", "RGB"):
            return ".jpg", data  # browsers turn it by its EXIF orientation themselves
    image.save(out, "PNG")
    return ".png", out.getvalue()


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return path
