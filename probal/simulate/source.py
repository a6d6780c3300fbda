"""The loop with an oracle in the annotator's place: what labeling would have bought, strategy by strategy.

Runs of one seed share split and pool whatever the strategy, so their differences are paired. A run is
deterministic: one thread, seeded by (seed, strategy, labels). Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from joblib import Parallel, delayed
from platformdirs import user_cache_path

from probal.acquisition import AcquisitionState, find_strategy, propose, uncertainty
from probal.adapters import load_adapter
from probal.encoders import load_encoder
from probal.errors import UserError
from probal.evaluation import accuracy, ece, nll
from probal.gaussian import GaussianEmbedding
from probal.pool.embed import embed_images
from probal.pool.features import FeatureStore
from probal.pool.scan import scan_folder
from probal.random import derive_seed, torch_generator
from probal.session.space import unit_rows
from probal.types import ImageState

Report = Callable[[int, int, str], None]
TEXT_SCALE, BARE_SCALE = 100.0, 15.0
"""Logit scale of vectors from a file that names none: with class texts (CLIP's), and without."""


@dataclass(frozen=True)
class Source:
    """Labeled vectors to play with; rows not normalized yet."""

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


@dataclass(frozen=True)
class Task:
    """One seed's split as unit rows."""

    pool_x: np.ndarray  # [N,D]
    pool_y: np.ndarray
    eval_x: np.ndarray  # [Ne,D]
    eval_y: np.ndarray
    prototypes: np.ndarray  # [C,D], zero without text
    scale: float


def simulate(
    source: Path,
    strategies: Sequence[str],
    *,
    adapter: str = "bayes",
    encoder: str = "embedded",
    batch_size: int = 10,
    budget: int = 200,
    seeds: int = 5,
    pool_key: str | None = None,
    eval_key: str | None = None,
    progress: Report | None = None,
) -> dict[str, Any]:
    """Accuracy, NLL, ECE and seconds per round of every strategy and seed, as the JSON of design §5.

    `source` is a folder with one subfolder per class or an .npz; its vectors are embedded once and kept in the
    user's cache folder. `labels[0] = 0` is the state before any label. UserError for a source, strategy, adapter
    or encoder that does not exist.
    """
    report = progress or (lambda done, total, message: None)
    for strategy in strategies:
        find_strategy(strategy)
    loaded = load_source(source, encoder, pool_key, eval_key, report)
    load_adapter(adapter, loaded.scale)
    runs = [(strategy, seed) for strategy in strategies for seed in range(seeds)]
    report(0, len(runs), "Simulating")
    results: list[dict[str, Any]] = []
    # one thread a process: the matrices are small, and two processes use two cores better than two threads do
    parallel = Parallel(n_jobs=-1, return_as="generator")
    calls = (
        delayed(run)(split(loaded, seed), strategy, seed, adapter, batch_size, budget)
        for strategy, seed in runs
    )
    for result in parallel(calls):
        results.append(result)
        report(len(results), len(runs), "Simulating")
    return {
        "source": loaded.name,
        "encoder": loaded.encoder,
        "adapter": adapter,
        "batch_size": batch_size,
        "budget": budget,
        "classes": list(loaded.classes),
        "runs": results,
    }


def run(
    task: Task, strategy: str, seed: int, adapter_id: str, batch_size: int, budget: int
) -> dict[str, Any]:
    """One strategy on one split, until the budget or the pool is spent."""
    torch.set_num_threads(1)
    # joblib hands large arrays over as read-only maps
    x, y, eval_x = torch.tensor(task.pool_x), torch.tensor(task.pool_y), torch.tensor(task.eval_x)
    prior = GaussianEmbedding(torch.tensor(task.prototypes))
    adapter = load_adapter(adapter_id, task.scale)
    labeled = torch.empty(0, dtype=torch.int64)
    nobody = torch.empty(0, dtype=torch.int64)
    result: dict[str, Any] = {"strategy": strategy, "seed": seed, "labels": [], "accuracy": [], "nll": []}
    result |= {"ece": [], "seconds": []}
    while True:
        started = time.perf_counter()
        posterior = adapter.fit(x[labeled], y[labeled], prior)
        picks = []
        room = min(budget, len(x)) - len(labeled)
        if room > 0:
            state = AcquisitionState(x, posterior.logits(x), labeled, y[labeled], nobody, posterior.joint)
            generator = torch_generator(seed, strategy, len(labeled))
            picks = propose(strategy, state, min(batch_size, room), generator)
        seconds = time.perf_counter() - started
        probs = uncertainty(posterior.logits(eval_x)).predictive.numpy()
        result["labels"].append(len(labeled))
        result["accuracy"].append(float(accuracy(probs, task.eval_y)))
        result["nll"].append(float(nll(probs, task.eval_y)))
        result["ece"].append(float(ece(probs, task.eval_y)))
        result["seconds"].append(seconds)
        if not picks:
            return result
        labeled = torch.cat([labeled, torch.tensor([pick.row for pick in picks], dtype=torch.int64)])


def split(source: Source, seed: int) -> Task:
    """Two thirds to label from and one third to measure on, by seed, unless the source names its own."""
    x, y, eval_x, eval_y = source.x, source.y, source.eval_x, source.eval_y
    if eval_x is None or eval_y is None:
        order = np.random.default_rng(derive_seed("split", seed)).permutation(len(y))
        cut = len(y) * 2 // 3
        (x, y), (eval_x, eval_y) = (x[order[:cut]], y[order[:cut]]), (x[order[cut:]], y[order[cut:]])
    centre = x.astype(np.float64).mean(0).astype(np.float32) if source.centred else None
    classes, width = len(source.classes), x.shape[1]
    return Task(
        pool_x=unit_rows(x, centre),
        pool_y=y.astype(np.int64),
        eval_x=unit_rows(eval_x, centre),
        eval_y=eval_y.astype(np.int64),
        prototypes=np.zeros((classes, width), np.float32)
        if source.text_x is None
        else unit_rows(source.text_x),
        scale=source.scale,
    )


def load_source(
    path: Path, encoder: str, pool_key: str | None, eval_key: str | None, report: Report
) -> Source:
    """Read an .npz, or embed a folder with one subfolder per class."""
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
        if x.ndim != 2 or y.shape != (len(x),) or not np.isfinite(x.astype(np.float32)).all():
            raise UserError(
                f"{path.name}: {names[0]} must be finite [N,D] and {names[1]} [N], got {x.shape}, {y.shape}"
            )
        return x, y

    x, y = pair(pool_key)
    eval_x, eval_y = pair(eval_key) if eval_key else (None, None)
    text_x = arrays.get("text_x")
    count = int(max(y.max(), eval_y.max() if eval_y is not None else 0)) + 1
    names = [str(name) for name in arrays.get("classnames", np.arange(count))]
    if len(names) < count or (text_x is not None and len(text_x) != len(names)):
        raise UserError(f"{path.name}: {count} classes in the labels, {len(names)} class names")
    scale = float(arrays["scale"]) if "scale" in arrays else (BARE_SCALE if text_x is None else TEXT_SCALE)
    return Source(str(path), "vectors", tuple(names), x, y, eval_x, eval_y, text_x, scale, centred=False)


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
