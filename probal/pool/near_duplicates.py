"""Images that look alike although their bytes differ: resized, recompressed, a frame later. No torch.

A 64-bit perceptual hash each (the signs of an image's lowest DCT frequencies, ImageHash's `phash`), kept by content
hash in one file; near-duplicates are the pairs whose hashes differ in a few bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from probal.pool.decode import UnreadableImage, open_image

BITS = 64
DISTANCE = 4
"""Bits in which the hashes of near-duplicates differ at most."""
_DECODE_AT = 64  # pixels; the hash reads 32 by 32
_CHUNK = 512  # images between two writes of the file
_REACH = 256

Report = Callable[[int, int], None]


def perceptual_hash(image: Image.Image) -> int:
    """The 64 bits of an upright image as one unsigned number."""
    from imagehash import phash  # reads scipy's transforms: only a job needs it

    return int.from_bytes(np.packbits(phash(image).hash.reshape(-1)).tobytes(), "big")


class HashFile:
    """Perceptual hashes by content hash, in one `.npz` that is replaced whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, int] = {}
        if path.exists():
            with np.load(path) as found:
                digests = found["content"].view("S64").reshape(-1).astype(str).tolist()
                self._known = dict(zip(digests, found["hash"].tolist(), strict=True))

    def get(self, content_hash: str) -> int | None:
        """The image's hash; None where it was not computed or the image cannot be read."""
        return self._known.get(content_hash)

    def compute(self, images: Sequence[tuple[str, Path]], report: Report | None = None) -> None:
        """Hash the images given as (content hash, file) that are not known yet; one that cannot be read is left out.

        What was computed is on disk after every few hundred images: the next run goes on from there.
        """
        todo = [each for each in images if each[0] not in self._known]
        with ThreadPoolExecutor() as threads:
            for start in range(0, len(todo), _CHUNK):
                some = todo[start : start + _CHUNK]
                found = threads.map(_hash_file, (path for _, path in some))
                pairs = zip(some, found, strict=True)
                self._known |= {content: value for (content, _), value in pairs if value is not None}
                self._write()
                if report is not None:
                    report(start + len(some), len(todo))

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        content = np.array([*self._known], "S64")
        with partial.open("wb") as file:
            np.savez(file, content=content, hash=np.array([*self._known.values()], np.uint64))
        partial.replace(self._path)


def _hash_file(path: Path) -> int | None:
    try:
        return perceptual_hash(open_image(path, at_least=_DECODE_AT))
    except (UnreadableImage, OSError):
        return None


def near_pairs(hashes: np.ndarray, distance: int = DISTANCE) -> np.ndarray:
    """Pairs [M,2] of positions, first < second, whose hashes [N] uint64 differ in at most `distance` bits.

    The bits are cut into distance + 1 bands: two hashes that differ in at most `distance` bits agree in one band at
    least (pigeonhole), so only hashes that share a band are compared. All pairs are found unless more than
    `_REACH` hashes share a band; equal hashes, which lie side by side there, still hang together.
    """
    found = [np.empty((0, 2), np.int64)]
    edges = np.linspace(0, BITS, distance + 2).astype(int)
    for low, high in pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.lexsort((hashes, band))
        last = np.searchsorted(band[order], band[order], side="right") - 1  # of each one's bucket
        at = np.arange(len(hashes))
        for step in range(1, _REACH + 1):  # the next one of the bucket, the one after it, …
            at = at[at + step <= last[at]]
            if len(at) == 0:
                break
            a, b = order[at], order[at + step]
            near = np.bitwise_count(hashes[a] ^ hashes[b]) <= distance
            found.append(np.sort(np.stack([a[near], b[near]], 1), axis=1))
    return np.unique(np.concatenate(found), axis=0)


def groups(n: int, pairs: np.ndarray) -> np.ndarray:
    """Group number [n] of each position, connected by pairs [M,2], largest group first; -1 for one that is alone."""
    ones = np.ones(len(pairs), bool)
    _, part = connected_components(
        coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n)), directed=False
    )
    size = np.bincount(part, minlength=1)
    order = np.argsort(-size, kind="stable")
    order = order[size[order] > 1]
    number = np.full(len(size), -1)
    number[order] = np.arange(len(order))
    return np.asarray(number[part], np.int64)
