"""Own vectors as a pool's images, with and without their pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import save, sha256

from probal.encoders.vectors import VectorTable
from probal.errors import UserError
from probal.pool.vector_scan import scan_vectors, with_paths
from probal.types import ImageState


def table(*names: str, named: bool = True, seed: int = 0) -> VectorTable:
    x = np.random.default_rng(seed).normal(size=(len(names), 4))
    return VectorTable(x.astype(np.float16), names, named, (), None, 15.0)


def test_without_pictures_the_vector_is_the_content() -> None:
    mine = table("one", "two", "three", "four")
    mine.x[2] = mine.x[0]
    found = scan_vectors(mine, None)
    assert [image.path for image in found] == ["one", "two", "three", "four"]
    assert [image.state for image in found] == [
        *(ImageState.OK, ImageState.OK, ImageState.DUPLICATE, ImageState.OK)
    ]
    assert found[2].reason == "same vector as one"
    assert found[0].content_hash == found[2].content_hash
    assert len({image.content_hash for image in found}) == 3
    assert all(len(bytes.fromhex(image.content_hash)) == 32 for image in found)
    assert scan_vectors(mine, None) == found


def test_another_file_has_other_contents() -> None:
    """Or a card in the browser could say the name that an equal vector has in another project."""
    one, other = table("a", "b"), table("c", "d")
    hashes = {image.content_hash for each in (one, other) for image in scan_vectors(each, None)}
    assert len(hashes) == 4


def test_with_pictures_the_file_is_the_content(tmp_path: Path) -> None:
    for i, name in enumerate(("a.png", "sub/b.png", "c.png", "unnamed.png")):
        save(tmp_path / name, seed=i)
    save(tmp_path / "0-copy-of-a.png", seed=0)  # before a.png in path order, and without a vector
    mine = with_paths(table("sub/b.png", str(tmp_path / "a.png"), ".\\c.png"), tmp_path)
    assert mine.names == ("sub/b.png", "a.png", "c.png")
    found = scan_vectors(mine, tmp_path)
    assert [(image.path, image.state) for image in found] == [(name, ImageState.OK) for name in mine.names]
    assert [image.content_hash for image in found] == [sha256(tmp_path / name) for name in mine.names]


def test_equal_files_are_duplicates_and_broken_ones_are_told(tmp_path: Path) -> None:
    save(tmp_path / "a.png", seed=0)
    save(tmp_path / "b.png", seed=0)
    (tmp_path / "c.png").write_bytes(b"junk")
    found = {image.path: image for image in scan_vectors(table("a.png", "b.png", "c.png"), tmp_path)}
    assert found["b.png"].reason == "same bytes as a.png"
    assert found["c.png"].state is ImageState.CORRUPT


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a.png", "gone.png"), r"1 of 2 images named in the vectors are not in .*: gone\.png$"),
        (("../out.png", "a.png"), r"1 of 2 .* \.\./out\.png$"),
        (("/elsewhere/a.png",), "1 of 1 images"),
        (("notes.txt", "a.png"), "notes.txt, which is not an image file"),
        (("a.png", "./a.png"), "the image a.png twice"),
    ],
)
def test_names_that_are_no_images(tmp_path: Path, names: tuple[str, ...], told: str) -> None:
    save(tmp_path / "in" / "a.png", seed=0)
    save(tmp_path / "out.png", seed=1)
    (tmp_path / "in" / "notes.txt").write_text("")
    with pytest.raises(UserError, match=told):
        with_paths(table(*names), tmp_path / "in")


def test_row_numbers_name_no_image(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"which image of .* each belongs to: add an array or column `path`"):
        with_paths(replace(table("0", "1"), named=False), tmp_path)
