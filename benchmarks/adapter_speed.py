"""Seconds of an adapter update, BayesAdapter's against the paper's recipe, and what each predicts of held-out images.

    python benchmarks/adapter_speed.py [--labels 500] [--classes 100] [--width 768] [--seeds 4] [--json OUT]

Drawn unit vectors: class centres in a narrow cone (cosines near 0.6, as CLIP's image vectors have), images around
them, texts around the centres too; 2,000 held-out images. `warm` has all but the last 20 labels fitted before and
times the update alone. Everything that a prediction with variance needs is made inside the timed call. One thread for
all methods, as the app fits; seconds on the clock and of the processor, which other work on the machine disturbs
least; the latter also in modes (CLAP's fit) and as the recipe's speed multiplied. Then where BayesAdapter's seconds
go, part by part, and how many Newton steps the search and all of it take. Means ± 95 % over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from _few_shot_data import ENCODER_SCALE
from _few_shot_table import cell
from _recipe import fit_recipe
from torch import Tensor

from probal.adapters import BayesAdapter, Clap, VariationalAdapter, _softmax_gp, bayes_adapter
from probal.evaluation import accuracy, nll
from probal.gaussian import GaussianEmbedding

HELD_OUT, NEW = 2000, 20
PARTS = {
    "choose_hyperparameters": "search for scale and amplitude",
    "find_mode": "mode",
    "choose_temperature": "temperature",
    "compromise": "amplitude by later labels",
    "choose_sharpness": "sharpness",
    "factor": "factor",
}
"""Steps of a fit, by the name under which `bayes_adapter` calls them."""


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


@contextmanager
def taken_apart(into: dict[str, float]) -> Iterator[None]:
    """Adds to `into` the processor seconds of each of the PARTS and the Newton steps taken meanwhile."""

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: object, **more: object) -> object:
            before, started = into["Newton steps"], time.process_time()
            found = work(*args, **more)
            into[PARTS[name]] += time.process_time() - started
            if name == "choose_hyperparameters":
                into["Newton steps of the search"] += into["Newton steps"] - before
            return found

        return call

    solve = _softmax_gp._solve_newton

    def counted(*args: Any) -> Any:
        into["Newton steps"] += 1
        return solve(*args)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(_softmax_gp, "_solve_newton", counted))
        for name in PARTS:
            work = getattr(bayes_adapter, name)
            stack.enter_context(mock.patch.object(bayes_adapter, name, timed(name, work)))
        started = time.process_time()
        yield
        into["whole"] += time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--variational", action="store_true", help="time the variational twin too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    apart: dict[str, list[dict[str, float]]] = defaultdict(list)
    for seed in range(arguments.seeds):
        x, y, texts, test_x, test_y = drawn(arguments.labels, arguments.classes, arguments.width, seed)
        prior = GaussianEmbedding(texts)

        def measure(name: str, fit: Callable[[], Callable[[], Tensor]], test_y: np.ndarray = test_y) -> None:
            started, clock = time.process_time(), time.perf_counter()
            predict = fit()
            seconds, clock = time.process_time() - started, time.perf_counter() - clock
            probs = predict().double().numpy()
            probs /= probs.sum(1, keepdims=True)
            found.setdefault(name, []).append((clock, seconds, nll(probs, test_y), accuracy(probs, test_y)))

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
        for name, start in (("warm", before), ("cold", None)):
            parts: dict[str, float] = defaultdict(float)
            with taken_apart(parts):
                bayes.fit(x, y, prior, start=start)
            apart[name].append(dict(parts))
    size = f"n = {arguments.labels}, C = {arguments.classes}, D = {arguments.width}"
    load = f"load {os.getloadavg()[1]:.1f}"
    print(f"{size}; {platform.machine()}, {os.cpu_count()} cores, {load}, torch {torch.__version__}\n")
    print(
        "| method | s, clock | s, processor | in modes | times the recipe's speed | held-out NLL | accuracy, % |"
    )
    print("|---|---|---|---|---|---|---|")
    mode = [row[1] for row in found["CLAP, the mode alone"]]
    most = [row[1] for row in found["the paper's recipe"]]
    for name, rows in found.items():
        clock, seconds, losses, hits = zip(*rows, strict=True)
        modes = [own / one for own, one in zip(seconds, mode, strict=True)]
        times = [one / own for own, one in zip(seconds, most, strict=True)]
        cells = [cell(clock, 1, 2), cell(seconds, 1, 2), cell(modes, 1, 1), cell(times, 1, 1)]
        print(f"| {name} | {' | '.join(cells)} | {cell(losses, 1, 3)} | {cell(hits, 100, 1)} |")
    print("\n| part | " + " | ".join(f"{name}, s" for name in apart) + " |\n|---|---|---|")
    for part in (*PARTS.values(), "whole", "Newton steps of the search", "Newton steps"):
        digits = 0 if part.startswith("Newton") else 3
        cells = [cell([row.get(part, 0.0) for row in rows], 1, digits) for rows in apart.values()]
        print(f"| {part} | {' | '.join(cells)} |")
    if arguments.json:
        columns = ["s, clock", "s, processor", "held-out NLL", "accuracy"]
        sizes = {name: str(value) for name, value in vars(arguments).items() if name != "json"}
        results = {"arguments": sizes, "load": load, "columns": columns, "methods": found, "apart": apart}
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
