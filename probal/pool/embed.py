"""Images to vectors: decoding in threads, encoding beside it, each batch kept as soon as it is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from probal.encoders import ActivationEncoder, Encoder, embeddings_of
from probal.pool._progress import Progress, ProgressCallback
from probal.pool._threads import ordered_map
from probal.pool.decode import UnreadableImage, open_image, read_verified
from probal.pool.features import FeatureStore


@dataclass(frozen=True)
class EmbedReport:
    """What one call did."""

    embedded: int
    """New vectors in the store."""
    failed: tuple[tuple[str, str], ...] = ()
    """(content hash, reason) of each file that could not be decoded or has changed since the scan."""
    stopped: bool = False
    """The stop callback ended it; the rest has no vectors yet."""


def embed_images(
    encoder: Encoder,
    store: FeatureStore,
    items: Sequence[tuple[str, Path]],
    progress: ProgressCallback | None = None,
    batch_size: int = 64,
    stop: Callable[[], bool] | None = None,
    activations: FeatureStore | None = None,
) -> EmbedReport:
    """Embeds those of `items`, (content hash, file), that the store does not have.

    A file that cannot be decoded, or whose bytes no longer have the hash, is reported and passed over. `stop`
    is asked before each batch. Whatever ends the call, the batches encoded by then are in the store and are
    not computed again. `progress` counts all of `items`, those in the store already as done.

    `activations` is filled beside `store` from the same pass through the tower, for an `ActivationEncoder`; an image
    that either of them lacks is computed.
    """
    files = dict(items)
    absent = set(store.missing(list(files)))
    if activations is not None:
        absent |= set(activations.missing(list(files)))
    todo = [each for each in files if each in absent]
    present = len(files) - len(todo)
    report = Progress(progress, len(files))
    report.report(present)
    embedded = 0
    failed: list[tuple[str, str]] = []

    def prepare(content_hash: str) -> tuple[str, np.ndarray | UnreadableImage]:
        try:
            return content_hash, encoder.prepare(open_image(read_verified(files[content_hash], content_hash)))
        except UnreadableImage as error:
            return content_hash, error

    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(max_workers=threads) as pool:
        # two batches ahead of the encoder: it never waits, and memory stays bounded
        prepared = ordered_map(pool, prepare, todo, window=2 * batch_size + threads)
        for batch in _batches(prepared, batch_size):
            if stop is not None and stop():
                prepared.close()
                return EmbedReport(embedded, tuple(failed), stopped=True)
            good = [(each, value) for each, value in batch if not isinstance(value, UnreadableImage)]
            failed += [(each, str(value)) for each, value in batch if isinstance(value, UnreadableImage)]
            if good:
                hashes = [each for each, _ in good]
                store.append(hashes, _encode(encoder, hashes, np.stack([v for _, v in good]), activations))
                embedded += len(good)
            report.report(present + embedded + len(failed))
    return EmbedReport(embedded, tuple(failed))


def _encode(
    encoder: Encoder, hashes: Sequence[str], batch: np.ndarray, activations: FeatureStore | None
) -> np.ndarray:
    """Vectors [B, D]; activations are stored first, so that whoever sees a vector finds them."""
    if activations is None:
        return encoder.encode_prepared(batch)
    assert isinstance(encoder, ActivationEncoder)
    found = encoder.encode_activations(batch)
    activations.append(hashes, found.values)
    return embeddings_of(encoder.image_projection(), found)


def _batches(
    items: Iterator[tuple[str, np.ndarray | UnreadableImage]], size: int
) -> Iterator[list[tuple[str, np.ndarray | UnreadableImage]]]:
    while batch := list(islice(items, size)):
        yield batch
