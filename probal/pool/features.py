"""Feature vectors on disk, by content hash: append only, crash safe, memory mapped.

One folder per encoder fingerprint, with three files::

    meta.json     {"format": 1, "width": D, "dtype": "float16"}, written first, by rename
    vectors.f16   rows of D little-endian float16
    index.bin     records of 36 bytes: sha256 of the image (32), crc32 of that and of the row number (4)

Record i belongs to row i. An append writes and fsyncs its rows before it writes and fsyncs their records, so
that a record vouches for its row: whatever a kill leaves behind the last whole, valid record is ignored by
readers and cut off by the next append.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from probal.encoders import Encoder, activation_width

_RECORD = struct.Struct("<32sI")
_FORMAT = 1
_LOCK_TIMEOUT = 60.0  # seconds; an append takes milliseconds


def activation_store(root: Path, encoder: Encoder) -> FeatureStore | None:
    """The store of an encoder's activations [N, P] beside that of its vectors; None where it tells none."""
    width = activation_width(encoder)
    return None if width is None else FeatureStore(root, f"{encoder.fingerprint}activations", width)


class FeatureStore:
    """Vectors of one encoder; float16 on disk, float32 in and out.

    Any number of readers, in any process, see what was appended before their call; appends of several
    writers take turns by a file lock.
    """

    def __init__(self, root: Path, fingerprint: str, width: int) -> None:
        """Opens the store below `root`, making it where there is none.

        Raises ValueError if it was made for another width.
        """
        if not fingerprint.isalnum():
            raise ValueError(f"a fingerprint names a folder and is alphanumeric, got {fingerprint!r}")
        self.width = width
        self._folder = root / fingerprint
        self._vectors_path = self._folder / "vectors.f16"
        self._index_path = self._folder / "index.bin"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file_lock = FileLock(self._folder / "write.lock", timeout=_LOCK_TIMEOUT)
        self._lock = threading.RLock()
        self._rows: dict[bytes, int] = {}
        self._vectors = np.empty((0, width), np.float16)
        self._check_meta()

    def __len__(self) -> int:
        with self._lock:
            self._sync()
            return len(self._rows)

    def __contains__(self, content_hash: object) -> bool:
        return isinstance(content_hash, str) and not self.missing([content_hash])

    def missing(self, hashes: Sequence[str]) -> list[str]:
        """Those of `hashes` that have no vector yet, each once, in order."""
        with self._lock:
            self._sync()
            return [each for each in dict.fromkeys(hashes) if _digest(each) not in self._rows]

    def read(self, hashes: Sequence[str]) -> np.ndarray:
        """Vectors as float32 [m, width], in the order of `hashes`. Raises KeyError if one has none."""
        with self._lock:
            self._sync()
            try:
                rows = np.fromiter((self._rows[_digest(each)] for each in hashes), np.int64, len(hashes))
            except KeyError:
                absent = self.missing(hashes)
                raise KeyError(
                    f"no vector for {len(absent)} of {len(hashes)} images; first {absent[0]}"
                ) from None
            return self._vectors[rows].astype(np.float32)

    def append(self, hashes: Sequence[str], vectors: np.ndarray) -> None:
        """Adds vectors [m, width]; a hash that is there already is left as it is. Durable on return.

        Raises ValueError for a wrong shape and FloatingPointError for a value that is not finite or beyond
        float16's 65504; nothing has been written then.
        """
        if vectors.shape != (len(hashes), self.width):
            raise ValueError(f"expected vectors of shape {(len(hashes), self.width)}, got {vectors.shape}")
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(vectors, dtype="<f2")
        if not np.isfinite(rows).all():
            bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            worst = np.abs(np.asarray(vectors[bad], np.float64)).max()
            raise FloatingPointError(
                f"the vector of {hashes[bad]} has the value {worst:g}; "
                "the feature store holds finite float16, up to 65504"
            )
        with self._lock, self._file_lock:
            self._sync()
            position = {each: i for i, each in reversed(list(enumerate(hashes)))}
            new = self.missing(hashes)
            if not new:
                return
            begin = len(self._rows)
            _write_at(
                self._vectors_path, begin * self._row_bytes, rows[[position[each] for each in new]].tobytes()
            )
            records = b"".join(_record(_digest(each), begin + i) for i, each in enumerate(new))
            _write_at(self._index_path, begin * _RECORD.size, records)
            self._sync()

    @property
    def _row_bytes(self) -> int:
        return 2 * self.width

    def _check_meta(self) -> None:
        path = self._folder / "meta.json"
        expected = {"format": _FORMAT, "width": self.width, "dtype": "float16"}
        if not path.exists():
            with self._file_lock:
                if not path.exists():
                    draft = path.with_suffix(".tmp")
                    _write_at(draft, 0, json.dumps(expected).encode())
                    os.replace(draft, path)
        found = json.loads(path.read_bytes())
        if found != expected:
            raise ValueError(f"the feature store in {self._folder} holds {found}, expected {expected}")

    def _sync(self) -> None:
        """Takes in the records that were added since, up to the first that is cut or wrong."""
        size = self._index_path.stat().st_size if self._index_path.exists() else 0
        if size < len(self._rows) * _RECORD.size:  # somebody emptied the store under a running process
            self._rows.clear()
        known = len(self._rows)
        if size // _RECORD.size <= known:
            return
        whole = self._vectors_path.stat().st_size // self._row_bytes
        with open(self._index_path, "rb") as stream:
            stream.seek(known * _RECORD.size)
            data = stream.read()
        data = data[: len(data) // _RECORD.size * _RECORD.size]
        for row, (digest, check) in enumerate(_RECORD.iter_unpack(data), start=known):
            if row >= whole or check != _checksum(digest, row):
                break
            self._rows[digest] = row
        if len(self._rows) > known:
            shape = (len(self._rows), self.width)
            self._vectors = np.memmap(self._vectors_path, dtype="<f2", mode="r", shape=shape)


def _digest(content_hash: str) -> bytes:
    digest = bytes.fromhex(content_hash)
    if len(digest) != 32:
        raise ValueError(f"expected a sha256 in hex, got {content_hash!r}")
    return digest


def _checksum(digest: bytes, row: int) -> int:
    return zlib.crc32(digest, row & 0xFFFFFFFF)


def _record(digest: bytes, row: int) -> bytes:
    return _RECORD.pack(digest, _checksum(digest, row))


def _write_at(path: Path, offset: int, data: bytes) -> None:
    """Makes `data` the end of the file, beginning at `offset`, on the disk and not only in its cache."""
    with open(path, "r+b" if path.exists() else "w+b") as stream:
        stream.truncate(offset)
        stream.seek(offset)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
