"""What `probal bench` measures: seeded drawn data, one run to warm up, then every repeat's seconds.

Shapes use the glossary of `probal.types`. torch is loaded by the call, not by the import.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from probal.adapters import AdapterPosterior
    from probal.gaussian import GaussianEmbedding

Tell = Callable[[str], None]
PHOTO = (640, 480)
"""Pixels of the drawn photographs, saved as JPEG."""


@dataclass(frozen=True)
class Timing:
    """One thing timed."""

    name: str
    seconds: list[float]
    items: int
    """How many images (or fits) a run handles."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "name": self.name,
            "seconds": self.seconds,
            "median": self.median,
            "items": self.items,
            "per_second": self.items / self.median,
        }


def machine() -> dict[str, Any]:
    """What a timing depends on besides the code."""
    import torch

    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "torch_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def embed(encoder_id: str, n_images: int, repeats: int, seed: int, tell: Tell) -> list[Timing]:
    """Files to vectors: decoding alone, the tower alone, and both as `probal embed` runs them."""
    from probal.encoders import load_encoder
    from probal.pool.decode import open_image
    from probal.pool.embed import embed_images
    from probal.pool.features import FeatureStore, activation_store
    from probal.pool.scan import scan_folder

    tell("Loading the encoder")
    encoder = load_encoder(encoder_id)
    with TemporaryDirectory(prefix="probal-bench-") as scratch:
        folder = Path(scratch)
        tell("Drawing images")
        _draw_photos(folder / "images", n_images, seed)
        items = [
            (image.content_hash, folder / "images" / image.path) for image in scan_folder(folder / "images")
        ]
        batch = np.stack([encoder.prepare(open_image(file)) for _, file in items[:64]])
        runs = iter(range(repeats + 1))

        def together() -> None:
            place = folder / f"run-{next(runs)}"
            store = FeatureStore(place, encoder.fingerprint, encoder.width)
            embed_images(encoder, store, items, activations=activation_store(place, encoder))

        decode = "decode and prepare, one thread"
        timings = [
            _timed(
                decode, len(items), repeats, lambda: [encoder.prepare(open_image(f)) for _, f in items], tell
            ),
            _timed("image tower", len(batch), repeats, lambda: encoder.encode_prepared(batch), tell),
            _timed("embed: files to stored vectors", len(items), repeats, together, tell),
        ]
    return timings


def score(n: int, c: int, rank: int, repeats: int, seed: int, tell: Tell) -> list[Timing]:
    """Scores of N drawn Gaussian logits whose classes share an image noise of rank R."""
    import torch

    from probal.acquisition import bald, entropy, margin
    from probal.acquisition.controlled import bald_controlled
    from probal.gaussian import GaussianLogits

    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    logits = GaussianLogits(
        2 * normal(n, c), 0.1 * normal(n, c).square(), normal(n).square(), 0.3 * normal(c, rank) / rank**0.5
    )
    scores: dict[str, Callable[[], object]] = {
        "entropy": lambda: entropy(logits),
        "margin": lambda: margin(logits),
        "bald, as the strategies use it": lambda: bald(logits, torch.Generator().manual_seed(seed)),
        "bald, controlled": lambda: bald_controlled(logits, generator=torch.Generator().manual_seed(seed)),
    }
    return [_timed(name, n, repeats, run, tell) for name, run in scores.items()]


def update(n_labels: int, c: int, d: int, adapter: str, repeats: int, seed: int, tell: Tell) -> list[Timing]:
    """A refit with λ and scale chosen anew, and the variances of 1,000 images."""
    world = _World.draw(max(n_labels, 1000), c, d, seed)
    posterior = world.fit(adapter, n_labels)
    return [
        _timed("fit, hyperparameters chosen", 1, repeats, lambda: world.fit(adapter, n_labels), tell),
        _timed("logits of 1,000 images", 1000, repeats, lambda: posterior.logits(world.x[:1000]), tell),
    ]


def propose(
    strategy: str, n: int, c: int, d: int, batch: int, n_labels: int, repeats: int, seed: int, tell: Tell
) -> list[Timing]:
    """The next batch of B from a pool of N: its logits, and the strategy's choice."""
    import torch

    from probal import acquisition

    world = _World.draw(n, c, d, seed)
    posterior = world.fit("bayes", n_labels)
    labeled = torch.arange(n_labels)
    nobody = torch.empty(0, dtype=torch.int64)
    logits = posterior.logits(world.x)

    def choose() -> None:
        state = acquisition.AcquisitionState(
            world.x, logits, labeled, world.y[:n_labels], nobody, posterior.joint
        )
        acquisition.propose(strategy, state, batch, torch.Generator().manual_seed(seed))

    return [
        _timed("logits of the pool", n, repeats, lambda: posterior.logits(world.x), tell),
        _timed(f"{strategy}: {batch} of the pool", n, repeats, choose, tell),
    ]


@dataclass(frozen=True, eq=False)
class _World:
    """Images around class directions that the prior knows roughly."""

    x: Tensor  # [N, D] unit rows
    y: Tensor  # [N]
    prior: GaussianEmbedding  # [C, D]

    @classmethod
    def draw(cls, n: int, c: int, d: int, seed: int) -> _World:
        import torch

        from probal.gaussian import GaussianEmbedding

        generator = torch.Generator().manual_seed(seed)

        def unit(rows: Tensor) -> Tensor:
            return rows / rows.norm(dim=1, keepdim=True)

        means = unit(torch.randn(c, d, generator=generator))
        y = torch.randint(c, (n,), generator=generator)
        x = unit(means[y] + 1.5 * torch.randn(n, d, generator=generator) / d**0.5)
        text = unit(means + torch.randn(c, d, generator=generator) / d**0.5)
        return cls(x, y, GaussianEmbedding(text))

    def fit(self, adapter: str, n_labels: int) -> AdapterPosterior:
        from probal.adapters import load_adapter

        return load_adapter(adapter, 30.0).fit(self.x[:n_labels], self.y[:n_labels], self.prior)


def _timed(name: str, items: int, repeats: int, run: Callable[[], object], tell: Tell) -> Timing:
    tell(name)
    run()  # the first call pays for allocations and threads
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return Timing(name, seconds, items)


def _draw_photos(folder: Path, n: int, seed: int) -> None:
    """JPEGs of smooth random colours with some grain: as costly to decode as photographs of that size."""
    from PIL import Image

    folder.mkdir()
    generator = np.random.default_rng(seed)
    for i in range(n):
        coarse = generator.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize(PHOTO, Image.Resampling.BICUBIC), np.float32)
        grain = smooth + generator.normal(0, 8, (PHOTO[1], PHOTO[0], 1))
        Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8)).save(folder / f"{i:05d}.jpg", quality=88)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
