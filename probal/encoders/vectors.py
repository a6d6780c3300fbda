"""Vectors that a user brings: a table in the encoder's place, kept whole in the workspace. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from probal.encoders.base import ImageTower
from probal.errors import UserError

PREFIX = "vectors:"
"""Of the encoder id of such a project; the table's fingerprint follows."""
_FILE = "own.npz"


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Checked vectors with what is known of them; see `probal.pool.vector_file` for where they come from."""

    x: np.ndarray
    """Unit rows [N, D], float16 as the feature store keeps them: what reads them uses the direction only."""
    names: tuple[str, ...]
    """One a row, no two alike."""
    named: bool
    """The user gave the names; else they are the row numbers."""
    class_names: tuple[str, ...]
    """C names, or none."""
    text_x: np.ndarray | None
    """Class rows [C, D] float32: the prior means; None for zero ones."""
    scale: float
    """Logit scale to start from."""

    @cached_property
    def fingerprint(self) -> str:
        """Hex, of all that is in the table."""
        digest = hashlib.sha256(f"vectors\n{self.x.shape} {self.scale!r} {self.named}\n".encode())
        for text in (*self.names, "", *self.class_names):
            digest.update(text.encode() + b"\0")
        digest.update(np.ascontiguousarray(self.x).data)
        if self.text_x is not None:
            digest.update(np.ascontiguousarray(self.text_x).data)
        return digest.hexdigest()[:32]

    def save(self, folder: Path) -> None:
        """Write the table into `folder`, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, np.ndarray] = {
            "x": self.x,
            "names": np.frombuffer(
                "\0".join(self.names).encode(), np.uint8
            ),  # an array of str pads each to the longest
            "named": np.array(self.named),
            "class_names": np.array(self.class_names, dtype=str),
            "scale": np.array(self.scale),
        }
        if self.text_x is not None:
            arrays["text_x"] = self.text_x
        draft = folder / f"{_FILE}.partial"
        with draft.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes `allow_pickle` for one of them
        draft.replace(folder / _FILE)

    @classmethod
    def load(cls, folder: Path) -> VectorTable:
        """The table that `save` wrote. UserError where it is gone."""
        path = folder / _FILE
        if not path.is_file():
            raise UserError(f"the project's vectors {path} are gone; make the project again with --vectors")
        with np.load(path, allow_pickle=False) as file:
            return cls(
                x=file["x"],
                names=tuple(file["names"].tobytes().decode().split("\0")),
                named=bool(file["named"]),
                class_names=tuple(file["class_names"].tolist()),
                text_x=file["text_x"] if "text_x" in file.files else None,
                scale=float(file["scale"]),
            )


class VectorEncoder(ImageTower):
    """Stands where an encoder is asked for facts and class rows; it cannot encode anything new."""

    centred = False
    default_template = "{}"

    def __init__(self, table: VectorTable) -> None:
        self._table = table
        self.id = PREFIX + table.fingerprint
        self.fingerprint = table.fingerprint
        self.width: int = table.x.shape[1]
        self.scale = table.scale

    def class_rows(self, names: Sequence[str]) -> np.ndarray:
        """Prior means [C, D] of classes by their names in the file; zero for a name that it does not have."""
        rows = np.zeros((len(names), self.width), np.float32)
        if self._table.text_x is not None:
            known = dict(zip(self._table.class_names, self._table.text_x, strict=True))
            for i, name in enumerate(names):
                rows[i] = known.get(name, 0.0)
        return rows

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Always a UserError: no image becomes a vector here."""
        raise UserError(
            "this project has vectors from a file and no encoder, so no new image can be embedded: "
            "make a project on the folder of images instead (init --images, without --vectors)"
        )

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        """As `prepare`."""
        return self.prepare(Image.new("RGB", (1, 1)))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Class rows [C, D]; UserError for a text that the file has no row of."""
        known = self._table.class_names if self._table.text_x is not None else ()
        unknown = [text for text in texts if text not in known]
        if unknown:
            raise UserError(
                f"this project has vectors from a file and no text encoder, so {unknown[0]!r} has no vector"
            )
        return self.class_rows(texts)
