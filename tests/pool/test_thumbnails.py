"""Small pictures for the browser: the right way up, never blurred up, whole or not there."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pictures import noise, save, sha256
from PIL import Image

from probal.pool import thumbnails
from probal.pool.decode import UnreadableImage
from probal.pool.thumbnails import THUMBNAIL_SIZES, thumbnail


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize("size", THUMBNAIL_SIZES)
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_larger_images_are_fitted(tmp_path: Path, cache: Path, name: str, size: int) -> None:
    source = save(tmp_path / name, size=(size * 5 // 4, size * 5 // 8))
    made = thumbnail(cache, source, sha256(source), size)
    with Image.open(made) as image:
        assert (image.size, image.format) == ((size, size // 2), "JPEG")
    assert made.stat().st_size < source.stat().st_size


def test_small_originals_keep_every_pixel(tmp_path: Path, cache: Path) -> None:
    for i, name in enumerate(["a.png", "b.bmp", "c.gif", "d.webp"]):
        source = save(tmp_path / name, seed=i, size=(32, 24), lossless=True)
        made = thumbnail(cache, source, sha256(source), 96)
        assert made.suffix == ".png"
        with Image.open(source) as original, Image.open(made) as image:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(original.convert("RGB")))


def test_a_small_jpeg_is_kept_byte_for_byte(tmp_path: Path, cache: Path) -> None:
    source = save(tmp_path / "a.jpg", size=(300, 200))
    assert thumbnail(cache, source, sha256(source), 320).read_bytes() == source.read_bytes()
    cmyk = tmp_path / "cmyk.jpg"
    noise(1).convert("CMYK").save(cmyk)
    assert thumbnail(cache, cmyk, sha256(cmyk), 320).suffix == ".png"


def test_downscaled_images_are_upright(tmp_path: Path, cache: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = save(tmp_path / "a.jpg", size=(800, 400), exif=exif)
    with Image.open(thumbnail(cache, source, sha256(source), 96)) as image:
        assert image.size == (48, 96)
        assert 0x0112 not in image.getexif()


def test_second_call_reads_nothing(tmp_path: Path, cache: Path) -> None:
    for name in ("a.jpg", "b.png"):
        source = save(tmp_path / name)
        content_hash = sha256(source)
        first = thumbnail(cache, source, content_hash, 96)
        source.unlink()
        assert thumbnail(cache, source, content_hash, 96) == first


def test_names_tell_hash_and_size_apart(tmp_path: Path, cache: Path) -> None:
    sources = [save(tmp_path / f"{i}.png", seed=i) for i in range(2)]
    made = {thumbnail(cache, source, sha256(source), size) for source in sources for size in THUMBNAIL_SIZES}
    assert len(made) == 2 * len(THUMBNAIL_SIZES)


def test_wrong_use_and_bad_files(tmp_path: Path, cache: Path) -> None:
    source = save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="sizes are"):
        thumbnail(cache, source, sha256(source), 97)
    with pytest.raises(ValueError, match="sha256"):
        thumbnail(cache, source, "../../etc/passwd", 96)
    content_hash = sha256(source)
    save(source, seed=1)
    with pytest.raises(UnreadableImage, match="has changed"):
        thumbnail(cache, source, content_hash, 96)
    source.write_text("junk")
    with pytest.raises(UnreadableImage, match="not an image"):
        thumbnail(cache, source, sha256(source), 96)
    assert not cache.exists() or not [path for path in cache.rglob("*") if path.is_file()]


def test_a_failed_write_leaves_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    source = save(tmp_path / "a.png")
    with monkeypatch.context() as patched:
        patched.setattr(thumbnails.os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            thumbnail(cache, source, sha256(source), 96)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_many_at_once(tmp_path: Path, cache: Path) -> None:
    source = save(tmp_path / "a.png", size=(400, 400))
    content_hash = sha256(source)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: thumbnail(cache, source, content_hash, 96), range(32)))
    assert len(made) == 1
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [made.pop().name]


def test_the_source_is_only_read(tmp_path: Path, cache: Path) -> None:
    source = save(tmp_path / "pool" / "a.jpg", size=(400, 400))
    os.utime(source, ns=(1, 1))
    content_hash = sha256(source)
    for size in THUMBNAIL_SIZES:
        thumbnail(cache, source, content_hash, size)
    assert (sha256(source), source.stat().st_mtime_ns) == (content_hash, 1)
    assert list(source.parent.iterdir()) == [source]
