"""A folder with everything that folders have in them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pictures import save, sha256

from probal.errors import UserError
from probal.pool import scan as scan_module
from probal.pool.scan import count_images, scan_folder
from probal.types import ImageState, ScannedImage


def by_path(scanned: list[ScannedImage]) -> dict[str, ScannedImage]:
    return {image.path: image for image in scanned}


def test_records_are_complete_and_sorted(tmp_path: Path) -> None:
    for i, name in enumerate(["b/z.PNG", "a.jpg", "b/c/d.webp", "B.gif"]):
        save(tmp_path / name, seed=i, size=(40 + i, 30))
    scanned = scan_folder(tmp_path)
    assert [image.path for image in scanned] == ["B.gif", "a.jpg", "b/c/d.webp", "b/z.PNG"]
    for image in scanned:
        file = tmp_path / image.path
        assert image.content_hash == sha256(file)
        assert (image.bytes, image.mtime_ns) == (file.stat().st_size, file.stat().st_mtime_ns)
        assert (image.state, image.reason, image.height) == (ImageState.OK, None, 30)
    assert [image.width for image in scanned] == [43, 41, 42, 40]


def test_counting_sees_what_a_scan_would_try(tmp_path: Path) -> None:
    for i, name in enumerate(["b/z.PNG", "a.jpg", "b/c/d.webp", ".hidden/e.png"]):
        save(tmp_path / name, seed=i)
    (tmp_path / "notes.txt").write_text("no image")
    assert count_images(tmp_path) == len(scan_folder(tmp_path)) == 3
    assert count_images(tmp_path, most=2) == 2


def test_size_is_after_exif_orientation(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "turned.jpg", size=(40, 20), exif=exif)
    (image,) = scan_folder(tmp_path)
    assert (image.width, image.height) == (20, 40)


def test_duplicates_point_to_the_first_in_order(tmp_path: Path) -> None:
    for name in ("c.png", "a/x.png", "b.png"):
        save(tmp_path / name, seed=1)
    scanned = scan_folder(tmp_path)
    assert [(image.path, image.state) for image in scanned] == [
        ("a/x.png", ImageState.OK),
        ("b.png", ImageState.DUPLICATE),
        ("c.png", ImageState.DUPLICATE),
    ]
    assert {image.reason for image in scanned[1:]} == {"same bytes as a/x.png"}


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", {"quality": 95}),
        (".jpg", {"quality": 95, "progressive": True}),
        (".png", {}),
        (".webp", {"lossless": True}),
        (".gif", {}),
        (".bmp", {}),
        (".tif", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("kept", [0.3, 0.9])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_truncated_files_are_found(
    tmp_path: Path, suffix: str, options: dict[str, object], kept: float
) -> None:
    save(tmp_path / "good.png", seed=9)
    broken = save(tmp_path / f"cut{suffix}", size=(256, 256), **options)
    broken.write_bytes(broken.read_bytes()[: int(broken.stat().st_size * kept)])
    image = by_path(scan_folder(tmp_path))[broken.name]
    assert image.state is ImageState.CORRUPT
    assert image.reason
    assert "\n" not in image.reason
    assert image.content_hash == sha256(broken)
    assert (image.width, image.height) == (0, 0)


def test_unreadable_files_are_listed_with_the_reason(tmp_path: Path) -> None:
    save(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "broken.png").symlink_to("nowhere.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "page.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    scanned = by_path(scan_folder(tmp_path))
    assert scanned.pop("good.png").state is ImageState.OK
    assert {path: image.reason for path, image in scanned.items()} == {
        "broken.png": "a link that leads nowhere",
        "empty.png": "not an image, or in a format that Pillow does not know",
        "loop.png": "a link that leads nowhere",
        "page.jpg": "not an image, or in a format that Pillow does not know",
        "text.jpg": "not an image, or in a format that Pillow does not know",
    }
    assert {image.state for image in scanned.values()} == {ImageState.CORRUPT}
    assert scanned["broken.png"].content_hash == ""


def test_what_is_no_image_is_left_out(tmp_path: Path) -> None:
    save(tmp_path / "good.png")
    save(tmp_path / ".hidden.png", seed=1)
    save(tmp_path / ".thumbs" / "a.png", seed=2)
    for name in ("notes.txt", "labels.csv", "data.h5", "film.mpg", "drawing.eps", "noext"):
        (tmp_path / name).write_text("x")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.jpg").mkdir()
    assert [image.path for image in scan_folder(tmp_path)] == ["good.png"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    save(pool / "real" / "a.png")
    save(tmp_path / "elsewhere" / "b.png", seed=1)
    (pool / "back").symlink_to(pool)
    (pool / "real" / "up").symlink_to("..")
    (pool / "a_link").symlink_to(pool / "real")
    (pool / "out").symlink_to(tmp_path / "elsewhere")
    (pool / "out_again").symlink_to(tmp_path / "elsewhere")
    assert [image.path for image in scan_folder(pool)] == ["out/b.png", "real/a.png"]


def test_file_names_that_are_not_text(tmp_path: Path) -> None:
    save(tmp_path / "good.png")
    os.rename(save(tmp_path / "bad.png", seed=1), os.fsencode(tmp_path) + b"/caf\xe9.png")
    bad, good = scan_folder(tmp_path)
    assert (bad.path, bad.state) == ("caf\\xe9.png", ImageState.CORRUPT)
    assert bad.reason == "the file's name is not valid UTF-8; rename the file"
    assert good.state is ImageState.OK


def test_known_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    (tmp_path / "c.png").write_text("junk")
    first = scan_folder(tmp_path)
    known = by_path(first)
    with monkeypatch.context() as patched:
        patched.delattr(scan_module, "check_readable")
        patched.setattr(scan_module.hashlib, "file_digest", None)
        assert scan_folder(tmp_path, known) == first
    save(tmp_path / "a.png", seed=3)
    (tmp_path / "c.png").unlink()
    save(tmp_path / "d.png", seed=4)
    # the first of two equal files has changed: the second is no duplicate any more
    assert [(i.path, i.state, i.reason) for i in scan_folder(tmp_path, known)] == [
        (name, ImageState.OK, None) for name in ("a.png", "b.png", "d.png")
    ]


@pytest.mark.parametrize(
    "change", [{"state": ImageState.MISSING}, {"state": ImageState.CORRUPT, "content_hash": ""}]
)
def test_known_files_that_could_not_be_read_are_tried_again(
    tmp_path: Path, change: dict[str, object]
) -> None:
    save(tmp_path / "a.png")
    (image,) = scan_folder(tmp_path)
    assert scan_folder(tmp_path, {"a.png": replace(image, **change)}) == [image]  # type: ignore[arg-type]


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / f"{i}.png", seed=i)
    calls: list[tuple[int, int]] = []
    scan_folder(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (5, 5)
    assert calls == sorted(calls)


def test_files_are_only_read(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png")
    os.utime(file, ns=(1, 1))
    file.chmod(0o444)
    before = (file.read_bytes(), file.stat().st_mtime_ns, sorted(tmp_path.iterdir()))
    scan_folder(tmp_path)
    assert (file.read_bytes(), file.stat().st_mtime_ns, sorted(tmp_path.iterdir())) == before


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    def refused(root: Path, match: str) -> None:
        with pytest.raises(UserError, match=match) as caught:
            scan_folder(root)
        assert "\n" not in str(caught.value)

    refused(tmp_path / "nowhere", "no such folder")
    refused(tmp_path, "no image file in .*expected files such as")
    (tmp_path / "notes.txt").write_text("x")
    refused(tmp_path / "notes.txt", "not a folder")
    refused(tmp_path, "no image file in")
    (tmp_path / "a.png").write_text("junk")
    (tmp_path / "b.png").write_text("junk")
    refused(tmp_path, "none of the 2 image files .* the first, a.png: not an image")
