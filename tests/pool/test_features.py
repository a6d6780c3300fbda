"""The store of vectors: what goes in comes out, whatever dies in between."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from probal.pool.features import FeatureStore

WIDTH = 6


def hashes(*numbers: int) -> list[str]:
    return [f"{number:064x}" for number in numbers]


def vectors(*numbers: int) -> np.ndarray:
    return np.stack([np.arange(WIDTH, dtype=np.float32) + 10 * number for number in numbers])


def store(root: Path) -> FeatureStore:
    return FeatureStore(root, "abc123", WIDTH)


def test_append_and_read(tmp_path: Path) -> None:
    features = store(tmp_path)
    assert len(features) == 0
    assert features.read([]).shape == (0, WIDTH)
    features.append(hashes(1, 2), vectors(1, 2))
    features.append(hashes(3), vectors(3))
    for again in (features, store(tmp_path)):
        found = again.read(hashes(3, 1, 1))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, vectors(3, 1, 1))
        assert len(again) == 3
        assert hashes(2)[0] in again
        assert hashes(4)[0] not in again
        assert again.missing(hashes(5, 1, 4, 5)) == hashes(5, 4)


def test_what_is_there_stays(tmp_path: Path) -> None:
    features = store(tmp_path)
    features.append(hashes(1), vectors(1))
    features.append(hashes(1, 2, 2), vectors(7, 2, 8))
    np.testing.assert_array_equal(features.read(hashes(1, 2)), vectors(1, 2))
    assert len(store(tmp_path)) == 2


def test_absent_vector_is_an_error(tmp_path: Path) -> None:
    features = store(tmp_path)
    features.append(hashes(1), vectors(1))
    with pytest.raises(KeyError, match=f"no vector for 1 of 2 images; first {hashes(2)[0]}"):
        features.read(hashes(1, 2))


def test_reader_sees_what_a_writer_appends(tmp_path: Path) -> None:
    reader, writer = store(tmp_path), store(tmp_path)
    assert reader.missing(hashes(1)) == hashes(1)
    writer.append(hashes(1), vectors(1))
    np.testing.assert_array_equal(reader.read(hashes(1)), vectors(1))


def test_encoders_do_not_share_vectors(tmp_path: Path) -> None:
    store(tmp_path).append(hashes(1), vectors(1))
    assert len(FeatureStore(tmp_path, "other", WIDTH)) == 0


def test_wrong_use_writes_nothing(tmp_path: Path) -> None:
    features = store(tmp_path)
    with pytest.raises(ValueError, match="expected vectors of shape"):
        features.append(hashes(1), vectors(1, 2))
    with pytest.raises(ValueError, match="expected a sha256"):
        features.append(["abcd"], vectors(1))
    for bad in (1e5, np.nan, np.inf, -70_000.0, 65_520.0):
        wrong = vectors(1, 2)
        wrong[1, 3] = bad
        with pytest.raises(FloatingPointError, match=f"{hashes(2)[0]}.*65504"):
            features.append(hashes(1, 2), wrong)
    assert len(store(tmp_path)) == 0
    with pytest.raises(ValueError, match="alphanumeric"):
        FeatureStore(tmp_path, "../up", WIDTH)
    with pytest.raises(ValueError, match=r"expected .*'width': 7"):
        FeatureStore(tmp_path, "abc123", 7)


def test_float16_is_what_is_kept(tmp_path: Path) -> None:
    features = store(tmp_path)
    exact = np.random.default_rng(0).normal(size=(50, WIDTH)).astype(np.float32)
    features.append(hashes(*range(50)), exact)
    np.testing.assert_array_equal(
        features.read(hashes(*range(50))), exact.astype(np.float16).astype(np.float32)
    )


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from probal.pool import features
write, calls = features._write_at, []
def dies(path, offset, data):
    calls.append(path.name)
    if len(calls) == {at}:
        write(path, offset, data[: int(len(data) * {share})])
        os._exit(9)
    write(path, offset, data)
features._write_at = dies
store = features.FeatureStore(Path(sys.argv[1]), "abc123", 6)
store.append([f"{{n:064x}}" for n in (10, 11, 12)], np.full((3, 6), 5.0, np.float32))
"""


@pytest.mark.parametrize("at", [1, 2], ids=["rows", "records"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_kill_in_an_append_loses_at_most_that_append(tmp_path: Path, at: int, share: float) -> None:
    before = store(tmp_path)
    before.append(hashes(1, 2), vectors(1, 2))
    code = KILLED.format(at=at, share=share)
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 9

    for features in (before, store(tmp_path)):
        np.testing.assert_array_equal(features.read(hashes(1, 2)), vectors(1, 2))
        for survived in set(hashes(10, 11, 12)) - set(features.missing(hashes(10, 11, 12))):
            np.testing.assert_array_equal(features.read([survived]), np.full((1, WIDTH), 5.0))
    features = store(tmp_path)
    features.append(hashes(10, 3), vectors(10, 3) if share == 0 else np.full((2, WIDTH), 5.0))
    again = store(tmp_path)
    np.testing.assert_array_equal(again.read(hashes(1, 2)), vectors(1, 2))
    assert again.missing(hashes(10, 3)) == []
    np.testing.assert_array_equal(
        again.read(hashes(3))[0], vectors(3)[0] if share == 0 else np.full(WIDTH, 5.0)
    )


@pytest.mark.parametrize("cut", [1, 35, 36, 37, 80])
def test_index_that_lost_its_tail(tmp_path: Path, cut: int) -> None:
    store(tmp_path).append(hashes(1, 2, 3, 4), vectors(1, 2, 3, 4))
    index = tmp_path / "abc123" / "index.bin"
    index.write_bytes(index.read_bytes()[:-cut])
    left = (4 * 36 - cut) // 36
    check_and_mend(tmp_path, left)


@pytest.mark.parametrize("cut", [1, 12, 13, 30])
def test_vectors_that_lost_their_tail(tmp_path: Path, cut: int) -> None:
    store(tmp_path).append(hashes(1, 2, 3, 4), vectors(1, 2, 3, 4))
    data = tmp_path / "abc123" / "vectors.f16"
    data.write_bytes(data.read_bytes()[:-cut])
    left = (4 * 2 * WIDTH - cut) // (2 * WIDTH)
    check_and_mend(tmp_path, left)


def test_index_whose_tail_was_never_written(tmp_path: Path) -> None:
    """A power cut can leave a file at its new length with zeros in it."""
    store(tmp_path).append(hashes(1, 2), vectors(1, 2))
    folder = tmp_path / "abc123"
    with open(folder / "index.bin", "ab") as index, open(folder / "vectors.f16", "ab") as data:
        index.write(bytes(3 * 36))
        data.write(bytes(3 * 2 * WIDTH))
    check_and_mend(tmp_path, 2)


def check_and_mend(root: Path, left: int) -> None:
    kept = list(range(1, left + 1))
    features = store(root)
    assert len(features) == left
    assert features.missing(hashes(1, 2, 3, 4)) == hashes(*range(left + 1, 5))
    if kept:
        np.testing.assert_array_equal(features.read(hashes(*kept)), vectors(*kept))
    features.append(hashes(1, 2, 3, 4), vectors(1, 2, 3, 4))
    np.testing.assert_array_equal(store(root).read(hashes(1, 2, 3, 4)), vectors(1, 2, 3, 4))
    assert (root / "abc123" / "index.bin").stat().st_size == 4 * 36
    assert (root / "abc123" / "vectors.f16").stat().st_size == 4 * 2 * WIDTH


def test_emptied_under_a_running_process(tmp_path: Path) -> None:
    features = store(tmp_path)
    features.append(hashes(1, 2), vectors(1, 2))
    for name in ("index.bin", "vectors.f16"):
        (tmp_path / "abc123" / name).unlink()
    assert features.missing(hashes(1, 2)) == hashes(1, 2)
    features.append(hashes(2), vectors(2))
    np.testing.assert_array_equal(store(tmp_path).read(hashes(2)), vectors(2))


def test_many_writers_take_turns(tmp_path: Path) -> None:
    def write(start: int) -> None:
        features = store(tmp_path)
        for number in range(start, start + 20):
            features.append(hashes(number, number + 1), vectors(number, number + 1))

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 5, 10, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [*range(31), *range(100, 121)]
    features = store(tmp_path)
    assert len(features) == len(numbers)
    np.testing.assert_array_equal(features.read(hashes(*numbers)), vectors(*numbers))


def test_vectors_are_mapped_and_not_loaded(tmp_path: Path) -> None:
    features = store(tmp_path)
    features.append(hashes(1), vectors(1))
    assert isinstance(features._vectors, np.memmap)
