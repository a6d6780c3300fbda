"""Seconds of an adapter update, BayesAdapter's against the paper's recipe, and what each predicts of held-out images.

    python benchmarks/adapter_speed.py [--labels 500] [--classes 100] [--width 768] [--seeds 3] [--variational]

Drawn unit vectors: class centres in a narrow cone (cosines near 0.6, as CLIP's image vectors have), images around
them, texts around the centres too; 2,000 held-out images. `warm` has all but the last 20 labels fitted before and
times the update alone. Everything that a prediction with variance needs is made inside the timed call. Means ± 95 %
over seeds. One thread for all methods, as the app fits; seconds of processor time, which other work on the machine
disturbs least.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable

import numpy as np
import torch
from _few_shot_data import ENCODER_SCALE
from _few_shot_table import cell
from _recipe import fit_recipe
from torch import Tensor

from probal.adapters import BayesAdapter, Clap, VariationalAdapter
from probal.evaluation import accuracy, nll
from probal.gaussian import GaussianEmbedding

HELD_OUT, NEW = 2000, 20


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


def drawn(n: int, classes: int, width: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor, np.ndarray]:
    """Labeled rows and labels, prototypes, held-out rows and labels."""
    g = torch.Generator().manual_seed(seed)

    def noise(rows: int, size: float) -> Tensor:
        return size * torch.randn(rows, width, generator=g) / width**0.5

    centres = unit(unit(noise(1, 1.0)) + noise(classes, 0.6))
    y = torch.arange(n + HELD_OUT) % classes
    x = unit(centres[y] + noise(n + HELD_OUT, 3.0))  # a fifth of the held-out images is missed
    texts = unit(centres + noise(classes, 0.5))
    return x[:n], y[:n], texts, x[n:], y[n:].numpy()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variational", action="store_true", help="time the variational twin too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(arguments.seeds):
        x, y, texts, test_x, test_y = drawn(arguments.labels, arguments.classes, arguments.width, seed)
        prior = GaussianEmbedding(texts)

        def measure(name: str, fit: Callable[[], Callable[[], Tensor]], test_y: np.ndarray = test_y) -> None:
            started = time.process_time()
            predict = fit()
            seconds = time.process_time() - started
            probs = predict().double().numpy()
            probs /= probs.sum(1, keepdims=True)
            found.setdefault(name, []).append((seconds, nll(probs, test_y), accuracy(probs, test_y)))

        def adapt(adapter: object, x: Tensor = x, y: Tensor = y, **start: object) -> Callable[[], Tensor]:
            posterior = adapter.fit(x, y, prior, **start)  # noqa: B023
            return lambda: posterior.logits(test_x).predictive("qmc", 64)  # noqa: B023

        def recipe() -> Callable[[], Tensor]:
            g = torch.Generator().manual_seed(0)
            posterior = fit_recipe(x, y, texts, ENCODER_SCALE, g)  # noqa: B023
            return lambda: posterior.predictive(test_x, g)  # noqa: B023

        bayes = BayesAdapter(ENCODER_SCALE)
        before = bayes.fit(x[:-NEW], y[:-NEW], prior).tensors()
        measure("BayesAdapter, warm", lambda: adapt(bayes, start=before))  # noqa: B023
        measure("BayesAdapter, cold", lambda: adapt(bayes))  # noqa: B023
        measure("CLAP, the mode alone", lambda: adapt(Clap(ENCODER_SCALE)))
        if arguments.variational:
            measure("BayesAdapter, variational", lambda: adapt(VariationalAdapter(ENCODER_SCALE)))
        measure("the paper's recipe", recipe)
    size = f"n = {arguments.labels}, C = {arguments.classes}, D = {arguments.width}"
    print(f"{size}; {platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}\n")
    print("| Method | seconds | held-out NLL | accuracy, % |\n|---|---:|---:|---:|")
    for name, rows in found.items():
        seconds, losses, hits = zip(*rows, strict=True)
        print(f"| {name} | {cell(seconds, 1, 2)} | {cell(losses, 1, 3)} | {cell(hits, 100, 1)} |")


if __name__ == "__main__":
    main()
