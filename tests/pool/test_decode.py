"""Every kind of pixel to upright RGB, and every kind of damage to one reason."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from pictures import noise, save, sha256
from PIL import Image

from probal.pool.decode import IMAGE_SUFFIXES, UnreadableImage, check_readable, open_image, read_verified

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as the module under test does


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def pixel(data: bytes, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    image = open_image(data)
    assert image.mode == "RGB"
    value = image.getpixel(at)
    assert isinstance(value, tuple)
    return value


def test_rgb_is_left_as_it_is(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", seed=3)
    for source in (path, path.read_bytes()):
        np.testing.assert_array_equal(np.asarray(open_image(source)), np.asarray(noise(3)))


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        (Image.new("L", (4, 4), 77), "PNG", (77, 77, 77)),
        (Image.new("1", (4, 4), 1), "PNG", (255, 255, 255)),
        (Image.new("P", (4, 4), 5).convert("P"), "GIF", None),
        (Image.new("LA", (4, 4), (0, 0)), "PNG", (255, 255, 255)),
        (Image.new("LA", (4, 4), (60, 255)), "PNG", (60, 60, 60)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG", (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 255)), "PNG", (255, 0, 0)),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 51)), "PNG", (204, 204, 204)),
        (Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (Image.new("I;16", (4, 4), 0x80FF), "PNG", (128, 128, 128)),
        (Image.new("I;16", (4, 4), 0x80FF), "TIFF", (128, 128, 128)),
        (Image.new("I;16B", (4, 4), 0x80FF), "TIFF", (128, 128, 128)),
        (Image.new("YCbCr", (4, 4), (128, 128, 128)), "TIFF", (128, 128, 128)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_modes(image: Image.Image, format: str, expected: tuple[int, ...] | None) -> None:
    found = pixel(encode(image, format))
    assert found == (expected or image.convert("RGB").getpixel((0, 0)))


def test_transparent_palette_becomes_white() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 1), 1)
    data = encode(image, "PNG", transparency=0)
    assert pixel(data) == (255, 255, 255)
    assert pixel(data, (1, 1)) == (40, 50, 60)


def test_jpeg_cmyk_keeps_its_colours() -> None:
    red = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.abs(np.subtract(pixel(red), (255, 0, 0))).max() < 12


@pytest.mark.parametrize("mode", ["I", "F"])
def test_wide_pixels_are_stretched(mode: str) -> None:
    values = np.array([[-500, 1500], [500, 0]], dtype=np.int32 if mode == "I" else np.float32)
    data = encode(Image.fromarray(values), "TIFF")
    assert [pixel(data, at)[0] for at in ((0, 0), (1, 0), (0, 1))] == [0, 255, 128]
    flat = encode(Image.fromarray(np.full((2, 2), 7, values.dtype)), "TIFF")
    assert pixel(flat) == (0, 0, 0)


def test_float_with_nan_is_an_image() -> None:
    data = encode(Image.fromarray(np.array([[np.nan, 1.0], [np.inf, 2.0]], np.float32)), "TIFF")
    assert pixel(data, (1, 1)) == (255, 255, 255)


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for format in ("GIF", "WEBP", "PNG"):
        data = encode(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
        assert pixel(data) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste("black", (0, 0, 10, 10))  # a mark in the corner that is stored first
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(image, "PNG", exif=exif)
    upright = open_image(data)
    assert upright.size == ((40, 20) if orientation < 5 else (20, 40))
    assert check_readable(io.BytesIO(data)) == upright.size
    right = orientation in (2, 3, 6, 7)
    bottom = orientation in (3, 4, 7, 8)
    corner = (upright.width - 5 if right else 5, upright.height - 5 if bottom else 5)
    assert upright.getpixel(corner) == (0, 0, 0)


@pytest.mark.parametrize("exif", [b"junk", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x05\x01"])
def test_damaged_exif_does_not_cost_the_image(exif: bytes) -> None:
    data = encode(noise(0), "JPEG", exif=b"Exif\0\0" + exif)
    assert open_image(data).size == (40, 30)
    assert check_readable(io.BytesIO(data)) == (40, 30)


def test_jpeg_can_be_decoded_smaller() -> None:
    data = encode(noise(0, (800, 400)), "JPEG")
    assert open_image(data, at_least=90).size == (200, 100)
    assert open_image(data, at_least=300).size == (800, 400)
    assert open_image(data).size == (800, 400)


def png_of_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an image"),
        (b"<html>not an image</html>", "not an image"),
        (png_of_size(30_000, 30_000), "larger than the limit of 200 megapixels"),
        (png_of_size(14_200, 14_200), "larger than the limit of 200 megapixels"),
        (png_of_size(12_000, 9_000), "truncated"),  # a phone's photograph
        (encode(noise(0), "PNG")[:-400], "truncated"),
        (encode(noise(0, (200, 200)), "JPEG")[:-900], "truncated"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage", "not an image"),
    ],
)
def test_damage_has_a_reason(data: bytes, reason: str) -> None:
    for read in (open_image, lambda data: check_readable(io.BytesIO(data))):
        with pytest.raises(UnreadableImage, match=reason) as caught:
            read(data)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) <= 200


def test_every_flipped_byte_is_an_image_or_a_reason() -> None:
    """Whatever a plugin raises on broken bytes, callers see one type."""
    rng = np.random.default_rng(0)
    for format in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "ICO", "TGA", "PPM", "PCX", "SGI", "DDS"):
        good = np.frombuffer(encode(noise(1, (16, 16)), format), np.uint8)
        for _ in range(25):
            bad = good.copy()
            bad[rng.integers(0, min(len(bad), 120), 3)] = rng.integers(0, 256, 3)
            try:
                image = open_image(bad.tobytes())
            except UnreadableImage:
                continue
            assert image.mode == "RGB"


def test_missing_file_has_a_reason(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="no longer there"):
        open_image(tmp_path / "gone.png")


def test_read_verified(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    content_hash = sha256(path)
    assert read_verified(path, content_hash) == path.read_bytes()
    save(path, seed=1)
    with pytest.raises(UnreadableImage, match="has changed since it was scanned"):
        read_verified(path, content_hash)
    path.unlink()
    with pytest.raises(UnreadableImage, match="no longer there"):
        read_verified(path, content_hash)


def test_suffixes() -> None:
    assert {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".avif"} <= IMAGE_SUFFIXES
    assert not {".pdf", ".eps", ".ps", ".mpg", ".h5", ".hdf", ".wmf", ".txt", ""} & IMAGE_SUFFIXES
