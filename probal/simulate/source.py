"""Labeled vectors to play with: an .npz of arrays, or a folder with one subfolder of images per class.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from platformdirs import user_cache_path

from probal.encoders import load_encoder
from probal.errors import UserError
from probal.pool.embed import embed_images
from probal.pool.features import FeatureStore
from probal.pool.scan import scan_folder
from probal.types import ImageState

Report = Callable[[int, int, str], None]
TEXT_SCALE, BARE_SCALE = 100.0, 15.0
"""Logit scale of vectors from a file that names none: with class texts (CLIP's), and without."""


@dataclass(frozen=True)
class Source:
    """Labeled vectors; rows not normalized yet."""

    name: str
    encoder: str
    classes: tuple[str, ...]
    x: np.ndarray  # [N,D] to split, or the pool where `eval_x` is given
    y: np.ndarray  # [N]
    eval_x: np.ndarray | None
    eval_y: np.ndarray | None
    text_x: np.ndarray | None  # [C,D]
    scale: float
    centred: bool

    @cached_property
    def digest(self) -> str:
        """sha256 over all that a simulation reads of it: its name and path do not matter."""
        found = hashlib.sha256(repr((self.classes, self.scale, self.centred)).encode())
        for array in (self.x, self.y, self.eval_x, self.eval_y, self.text_x):
            if array is not None:
                found.update(f"{array.shape}{array.dtype}".encode())
                found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


def load_source(
    path: Path, encoder: str, pool_key: str | None, eval_key: str | None, report: Report
) -> Source:
    """Read an .npz, or embed a folder with one subfolder per class; the vectors are kept in the user's cache.

    UserError for a path, keys, arrays or an encoder that do not fit.
    """
    if path.is_dir():
        if pool_key or eval_key:
            raise UserError(f"{path} is a folder; --pool-key and --eval-key name arrays of an .npz")
        return _embed_folder(path, encoder, report)
    if path.suffix != ".npz" or not path.is_file():
        raise UserError(f"{path} is neither a folder nor an .npz file; give one that exists")
    return _read_arrays(path, pool_key, eval_key)


def _read_arrays(path: Path, pool_key: str | None, eval_key: str | None) -> Source:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name != "images"}
    except (OSError, ValueError, BadZipFile) as error:
        raise UserError(f"{path} cannot be read as an .npz of plain arrays: {error}") from error

    def pair(key: str | None) -> tuple[np.ndarray, np.ndarray]:
        names = ("x", "y") if key is None else (f"{key}_x", f"{key}_y")
        if any(name not in arrays for name in names):
            keys = sorted(name[:-2] for name in arrays if name.endswith("_y"))
            raise UserError(
                f"{path.name} has no arrays {names[0]} and {names[1]}; it holds {', '.join(sorted(arrays))}"
                + (f"; try --pool-key and --eval-key with: {', '.join(keys)}" if keys else "")
            )
        x, y = arrays[names[0]], arrays[names[1]]
        if x.ndim != 2 or y.shape != (len(x),) or not x.size or not _finite(x):
            raise UserError(
                f"{path.name}: {names[0]} must be finite [N,D] and {names[1]} [N], got {x.shape}, {y.shape}"
            )
        if not _finite(y) or y.min() < 0 or (y != y.astype(np.int64)).any():
            raise UserError(
                f"{path.name}: {names[1]} must number the classes 0, 1, 2 …; their names go into `classnames`"
            )
        return x, y.astype(np.int64)

    if pool_key is not None and pool_key == eval_key:
        raise UserError(
            f"--pool-key and --eval-key both name {pool_key}: accuracy would be measured on the images being "
            "labeled; give --eval-key other arrays"
        )
    x, y = pair(pool_key)
    eval_x, eval_y = pair(eval_key) if eval_key else (None, None)
    text_x = arrays.get("text_x")
    count = int(max(y.max(), eval_y.max() if eval_y is not None else 0)) + 1
    names = [str(name) for name in arrays.get("classnames", np.arange(count))]
    if len(names) < count or (text_x is not None and len(text_x) != len(names)):
        raise UserError(f"{path.name}: {count} classes in the labels, {len(names)} class names")
    if text_x is not None and (text_x.ndim != 2 or text_x.shape[1] != x.shape[1] or not _finite(text_x)):
        raise UserError(f"{path.name}: text_x must be finite [C,{x.shape[1]}], got {text_x.shape}")
    if eval_x is not None and eval_x.shape[1] != x.shape[1]:
        raise UserError(f"{path.name}: vectors {x.shape[1]} and {eval_x.shape[1]} wide cannot be compared")
    scale = _scale(path, arrays) if "scale" in arrays else (BARE_SCALE if text_x is None else TEXT_SCALE)
    return Source(str(path), "vectors", tuple(names), x, y, eval_x, eval_y, text_x, scale, centred=False)


def _finite(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf" and bool(np.isfinite(values.astype(np.float32)).all())


def _scale(path: Path, arrays: Mapping[str, np.ndarray]) -> float:
    scale = arrays["scale"]
    if scale.size != 1 or not _finite(scale) or scale.item() <= 0:
        raise UserError(f"{path.name}: scale must be one positive number, got {scale.tolist()}")
    return float(scale.item())


def _embed_folder(path: Path, encoder_id: str, report: Report) -> Source:
    scanned = scan_folder(path, progress=lambda done, total: report(done, total, "Reading the images"))
    images = [image for image in scanned if image.state is ImageState.OK and "/" in image.path]
    classes = sorted({image.path.split("/")[0] for image in images})
    if len(classes) < 2:
        raise UserError(
            f"{path} has {len(classes)} subfolder with images; one per class, at least two, is expected"
        )
    report(0, 0, "Loading the encoder")
    model = load_encoder(encoder_id)
    features = FeatureStore(user_cache_path("probal") / "features", model.fingerprint, model.width)
    outcome = embed_images(
        model,
        features,
        [(image.content_hash, path / image.path) for image in images],
        progress=lambda done, total: report(done, total, "Computing image vectors"),
    )
    failed = {content_hash for content_hash, _ in outcome.failed}
    images = [image for image in images if image.content_hash not in failed]
    y = np.array([classes.index(image.path.split("/")[0]) for image in images])
    text_x = model.encode_texts([model.default_template.replace("{}", name) for name in classes])
    x = features.read([image.content_hash for image in images])
    return Source(str(path), model.id, tuple(classes), x, y, None, None, text_x, model.scale, model.centred)
