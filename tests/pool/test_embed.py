"""Embedding with a toy encoder: what is computed, what is skipped, what is passed over, what survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pictures import noise, save, sha256
from PIL import Image

from probal.encoders import Activations, LinearMap
from probal.encoders.base import Encoder, ImageTower
from probal.errors import UserError
from probal.pool.embed import embed_images
from probal.pool.features import FeatureStore, activation_store
from probal.pool.scan import scan_folder
from probal.types import ImageState


class MeanColour(ImageTower):
    """Mean red, green and blue; counts what it is asked."""

    id = "mean-colour"
    fingerprint = "meancolour"
    width = 3
    scale = 1.0
    centred = False
    default_template = "{}"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def prepare(self, image: Image.Image) -> np.ndarray:
        return np.asarray(image.resize((8, 8)), dtype=np.float32)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(len(batch))
        return batch.mean(axis=(1, 2))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("embedding images needs no text")


@pytest.fixture
def encoder() -> MeanColour:
    return MeanColour()


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features", MeanColour.fingerprint, MeanColour.width)


def pool(folder: Path, n: int = 10) -> list[tuple[str, Path]]:
    files = [save(folder / f"{i}.png", seed=i) for i in range(n)]
    return [(sha256(file), file) for file in files]


def test_embeds_all_in_batches(tmp_path: Path, encoder: MeanColour, store: FeatureStore) -> None:
    items = pool(tmp_path / "pool")
    calls: list[tuple[int, int]] = []
    typed: Encoder = encoder
    report = embed_images(typed, store, items, progress=lambda *call: calls.append(call), batch_size=4)
    assert (report.embedded, report.failed, report.stopped) == (10, (), False)
    assert encoder.batches == [4, 4, 2]
    assert (calls[0], calls[-1]) == ((0, 10), (10, 10))
    expected = encoder.encode_images([noise(i) for i in range(10)])
    np.testing.assert_allclose(store.read([each for each, _ in items]), expected, rtol=1e-3)


class WithActivations(MeanColour):
    """Six activations of which the vector is a linear map."""

    weight = np.arange(18, dtype=np.float32).reshape(3, 6) / 10
    bias = np.array([0.5, -1.0, 2.0], np.float32)
    broken = False

    def image_projection(self) -> LinearMap:
        return LinearMap(self.weight, self.bias)

    def encode_activations(self, batch: np.ndarray) -> Activations:
        self.batches.append(len(batch))
        values = batch.reshape(len(batch), -1)[:, :6] / 255
        return Activations(values * np.nan if self.broken else values, None)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        raise AssertionError("a second pass through the tower")

    def text_projection(self) -> LinearMap:
        raise AssertionError("embedding images needs no text")

    def encode_text_activations(self, texts: Sequence[str]) -> Activations:
        raise AssertionError("embedding images needs no text")


def test_activations_are_kept_from_the_same_pass(tmp_path: Path, store: FeatureStore) -> None:
    encoder = WithActivations()
    activations = activation_store(tmp_path / "features", encoder)
    assert activations is not None
    assert activations.width == 6
    items = pool(tmp_path / "pool", 7)
    assert embed_images(encoder, store, items, batch_size=4, activations=activations).embedded == 7
    assert encoder.batches == [4, 3]
    hashes = [each for each, _ in items]
    batch = np.stack([encoder.prepare(noise(i)) for i in range(7)])
    found = encoder.encode_activations(batch)
    np.testing.assert_allclose(activations.read(hashes), found.values, rtol=1e-3)
    np.testing.assert_allclose(store.read(hashes), found.values @ encoder.weight.T + encoder.bias, rtol=1e-3)
    assert embed_images(encoder, store, items, activations=activations).embedded == 0


def test_activations_missing_beside_old_vectors_are_made_up_for(
    tmp_path: Path, encoder: MeanColour, store: FeatureStore
) -> None:
    items = pool(tmp_path / "pool", 5)
    embed_images(encoder, store, items[:3])
    old = store.read([items[0][0]])
    activations = activation_store(tmp_path / "features", WithActivations())
    assert activations is not None
    assert embed_images(WithActivations(), store, items, activations=activations).embedded == 5
    assert activations.missing([each for each, _ in items]) == []
    np.testing.assert_array_equal(store.read([items[0][0]]), old)


def test_no_vector_without_its_activation(tmp_path: Path, store: FeatureStore) -> None:
    encoder = WithActivations()
    encoder.broken = True
    activations = activation_store(tmp_path / "features", encoder)
    with pytest.raises(FloatingPointError):
        embed_images(encoder, store, pool(tmp_path / "pool", 3), activations=activations)
    assert len(store) == 0


def test_an_encoder_without_activations_has_no_store_of_them(tmp_path: Path, encoder: MeanColour) -> None:
    assert activation_store(tmp_path, encoder) is None

    class NotLinear(WithActivations):
        def image_projection(self) -> LinearMap:
            raise UserError("the image tower does not end in a linear map")

    assert activation_store(tmp_path, NotLinear()) is None
    assert list(tmp_path.iterdir()) == []


def test_only_new_images_are_embedded(tmp_path: Path, encoder: MeanColour, store: FeatureStore) -> None:
    folder = tmp_path / "pool"
    embed_images(encoder, store, pool(folder, 5))
    encoder.batches.clear()
    for file in sorted(folder.iterdir()):
        file.rename(file.with_name(f"renamed_{file.name}"))
    renamed = [(sha256(file), file) for file in folder.iterdir()]
    assert embed_images(encoder, store, renamed).embedded == 0
    assert encoder.batches == []
    added = [*renamed, *pool(tmp_path / "more", 7)]
    calls: list[tuple[int, int]] = []
    assert embed_images(encoder, store, added, progress=lambda *call: calls.append(call)).embedded == 2
    assert calls[0] == (5, 7)


def test_equal_files_are_embedded_once(tmp_path: Path, encoder: MeanColour, store: FeatureStore) -> None:
    items = [*pool(tmp_path / "a", 3), *pool(tmp_path / "b", 3)]
    assert embed_images(encoder, store, items).embedded == 3


def test_bad_files_are_reported_and_passed_over(
    tmp_path: Path, encoder: MeanColour, store: FeatureStore
) -> None:
    items = pool(tmp_path / "pool", 6)
    gone, changed, good = items[0], items[2], items[1::2]
    gone[1].unlink()
    save(changed[1], seed=99)
    truncated = save(tmp_path / "pool" / "t.jpg", seed=7, size=(200, 200))
    truncated.write_bytes(truncated.read_bytes()[:-2000])
    items.append((sha256(truncated), truncated))
    report = embed_images(encoder, store, items, batch_size=2)
    assert report.embedded == 4
    reasons = dict(report.failed)
    assert reasons.keys() == {gone[0], changed[0], sha256(truncated)}
    assert "no longer there" in reasons[gone[0]]
    assert "has changed since" in reasons[changed[0]]
    assert "truncated" in reasons[sha256(truncated)]
    assert store.missing([each for each, _ in items]) == [gone[0], changed[0], sha256(truncated)]
    assert not set(reasons) & {each for each, _ in good}


def test_stop_keeps_what_was_embedded(tmp_path: Path, encoder: MeanColour, store: FeatureStore) -> None:
    items = pool(tmp_path / "pool")
    report = embed_images(encoder, store, items, batch_size=3, stop=lambda: len(encoder.batches) == 2)
    assert (report.embedded, report.stopped) == (6, True)
    assert len(store) == 6
    report = embed_images(encoder, store, items, batch_size=3)
    assert (report.embedded, report.stopped, len(store)) == (4, False, 10)


def test_an_encoders_failure_is_not_hidden(tmp_path: Path, store: FeatureStore) -> None:
    class Broken(MeanColour):
        def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
            vectors = super().encode_prepared(batch)
            return vectors * np.nan if len(self.batches) == 2 else vectors

    with pytest.raises(FloatingPointError):
        embed_images(Broken(), store, pool(tmp_path / "pool"), batch_size=4)
    assert len(store) == 4


def test_decoding_goes_on_beside_the_encoder(tmp_path: Path, store: FeatureStore) -> None:
    """Later images are prepared only once the first batch is being encoded, which waits for one of them."""
    encoding, decoded = threading.Event(), threading.Event()
    first = {noise(i).tobytes() for i in range(4)}

    class Meeting(MeanColour):
        def prepare(self, image: Image.Image) -> np.ndarray:
            if image.tobytes() not in first:
                assert encoding.wait(120)
                decoded.set()
            return super().prepare(image)

        def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
            encoding.set()
            assert decoded.wait(120)
            return super().encode_prepared(batch)

    encoder = Meeting()
    assert embed_images(encoder, store, pool(tmp_path / "pool", 12), batch_size=4).embedded == 12
    assert encoder.batches == [4, 4, 4]


def test_memory_is_bounded(tmp_path: Path, store: FeatureStore) -> None:
    """Preparing may not run far ahead of a slow encoder."""

    class Slow(MeanColour):
        prepared = 0
        ahead = 0

        def prepare(self, image: Image.Image) -> np.ndarray:
            self.prepared += 1
            return super().prepare(image)

        def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
            time.sleep(0.05)
            self.ahead = max(self.ahead, self.prepared - sum(self.batches))
            return super().encode_prepared(batch)

    encoder = Slow()
    embed_images(encoder, store, pool(tmp_path / "pool", 60), batch_size=4)
    assert encoder.ahead <= 3 * 4 + (os.cpu_count() or 1)


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_embed
class Slow(test_embed.MeanColour):
    def encode_prepared(self, batch):
        time.sleep(0.1 if len(self.batches) < 12 else 600)  # killed by then, or at the latest there
        return super().encode_prepared(batch)
store = test_embed.FeatureStore(Path(sys.argv[2]) / "features", Slow.fingerprint, Slow.width)
items = test_embed.pool(Path(sys.argv[2]) / "pool", 40)
test_embed.embed_images(Slow(), store, items, batch_size=2, progress=lambda done, _: print(done, flush=True))
"""


def test_kill_in_the_middle_resumes(tmp_path: Path, encoder: MeanColour, store: FeatureStore) -> None:
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 6:
                process.send_signal(signal.SIGKILL)
                break
    survived = len(store)
    assert 6 <= survived < 40
    report = embed_images(encoder, store, pool(tmp_path / "pool", 40))
    assert report.embedded == 40 - survived == sum(encoder.batches)
    expected = encoder.encode_images([noise(i) for i in range(40)])
    found = store.read([each for each, _ in pool(tmp_path / "pool", 40)])
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_scan_then_embed_agree_on_what_is_good(
    tmp_path: Path, encoder: MeanColour, store: FeatureStore
) -> None:
    pool(tmp_path / "pool", 4)
    (tmp_path / "pool" / "junk.png").write_text("junk")
    scanned = scan_folder(tmp_path / "pool")
    items = [(i.content_hash, tmp_path / "pool" / i.path) for i in scanned if i.state is ImageState.OK]
    report = embed_images(encoder, store, items)
    assert (report.embedded, report.failed) == (4, ())
