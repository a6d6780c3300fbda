from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from probal.pool.near_duplicates import HashFile, groups, near_pairs, perceptual_hash


def noise(seed: int) -> Image.Image:
    """Soft blobs of colour, as unlike as photographs."""
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((200, 200), Image.Resampling.BICUBIC)


def apart(a: Image.Image, b: Image.Image) -> int:
    return (perceptual_hash(a) ^ perceptual_hash(b)).bit_count()


def test_a_resized_a_blurred_and_a_brighter_copy_are_near_and_another_image_is_not() -> None:
    image = noise(0)
    assert apart(image, image.resize((90, 90))) <= 4
    assert apart(image, image.filter(ImageFilter.GaussianBlur(1))) <= 4
    assert apart(image, image.point(lambda value: min(255, value + 12))) <= 4
    assert min(apart(image, noise(seed)) for seed in range(1, 20)) > 10


@given(st.lists(st.integers(0, 2**64 - 1), max_size=12), st.lists(st.integers(0, 63), max_size=40))
def test_near_pairs_are_those_that_comparing_all_finds(base: list[int], flips: list[int]) -> None:
    values = list(base)
    for at in flips:  # hashes that lie close together, one bit after the other
        if values:
            values.append(values[-1] ^ (1 << at))
    hashes = np.array(values, np.uint64)
    every = {
        (i, j)
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if (values[i] ^ values[j]).bit_count() <= 4
    }
    assert set(map(tuple, near_pairs(hashes).tolist())) == every


def test_many_equal_hashes_hang_together() -> None:
    hashes = np.array([7] * 2000 + [0xFF << 40], np.uint64)
    group = groups(len(hashes), near_pairs(hashes))
    assert set(group[:2000].tolist()) == {0}
    assert group[-1] == -1


def test_groups_are_connected_and_the_largest_comes_first() -> None:
    assert groups(7, np.array([[0, 1], [3, 4], [4, 6]])).tolist() == [1, 1, -1, 0, 0, -1, 0]
    assert groups(2, np.empty((0, 2), np.int64)).tolist() == [-1, -1]


def test_the_file_keeps_hashes_and_computes_only_what_is_new(tmp_path: Path) -> None:
    for i in range(3):
        noise(i).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    images = [(f"{i:064x}", tmp_path / f"{i}.png") for i in range(3)] + [("f" * 64, tmp_path / "broken.png")]
    HashFile(tmp_path / "hashes.npz").compute(images[:2])
    (tmp_path / "0.png").unlink()
    seen: list[tuple[int, int]] = []
    again = HashFile(tmp_path / "hashes.npz")
    again.compute(images, lambda done, total: seen.append((done, total)))
    assert seen == [(2, 2)]
    assert [again.get(content) for content, _ in images] == [
        *(perceptual_hash(noise(i)) for i in range(3)),
        None,
    ]
