"""Few-shot accuracy and calibration of every adapter at equal labels.

    python benchmarks/few_shot.py --data ../shared/data [--seeds 10] [--shots 1 2 4 8 16] [--json OUT]

For each set and seed, `shots` labels per class are drawn at random from the pool (fewer where a class has fewer);
every adapter fits the same labels and is measured on the same held-out images. Sets with class texts have them as
prior, the others a prior of zero. Nothing is tuned on held-out labels. Intervals are 95 % over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from probal.acquisition import uncertainty
from probal.adapters import ADAPTERS, load_adapter
from probal.evaluation import accuracy, aurc, debiased_ece, nll
from probal.gaussian import GaussianEmbedding
from probal.simulate import Source, Task, load_source, split

SETS = {
    "food10_vitb32": ("train", "test"),
    "cifar10_test500_vitb32": (None, None),
    "caltech101_vitb32": ("train16", "test"),
    "oxford_pets_vitb32": ("train16", "test"),
    "dtd_vitb32": ("val", "test"),
}
METRICS = ("accuracy", "nll", "ece", "aurc", "seconds")


def draw(task: Task, shots: int, seed: int) -> np.ndarray:
    """Rows of `shots` labels per class, as far as there are so many."""
    order = np.random.default_rng(seed).permutation(len(task.pool_y))
    rows = [order[task.pool_y[order] == c][:shots] for c in np.unique(task.pool_y)]
    return np.concatenate(rows)


def one(task: Task, rows: np.ndarray, adapter_id: str, seed: int) -> dict[str, float]:
    """Measure one adapter on one draw of labels."""
    x, y = torch.from_numpy(task.pool_x[rows]), torch.from_numpy(task.pool_y[rows])
    started = time.perf_counter()
    posterior = load_adapter(adapter_id, task.scale).fit(
        x, y, GaussianEmbedding(torch.from_numpy(task.prototypes))
    )
    seconds = time.perf_counter() - started
    probs = uncertainty(posterior.logits(torch.from_numpy(task.eval_x))).predictive.numpy()
    return {
        "accuracy": accuracy(probs, task.eval_y),
        "nll": nll(probs, task.eval_y),
        "ece": debiased_ece(probs, task.eval_y, generator=np.random.default_rng(seed)),
        "aurc": aurc(probs.max(1), probs.argmax(1) == task.eval_y),
        "seconds": seconds,
    }


def measure(source: Source, shots: int, seeds: int) -> dict[str, dict[str, list[float]]]:
    """Adapter -> metric -> value per seed."""
    found: dict[str, dict[str, list[float]]] = {name: {metric: [] for metric in METRICS} for name in ADAPTERS}
    for seed in range(seeds):
        task = split(source, seed)
        rows = draw(task, shots, seed)
        for name in ADAPTERS:
            for metric, value in one(task, rows, name, seed).items():
                found[name][metric].append(value)
    return found


def cell(values: list[float], factor: float, digits: int) -> str:
    half = 1.96 * np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{np.mean(values) * factor:.{digits}f} ± {half * factor:.{digits}f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    torch.set_num_threads(1)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    results: list[dict[str, Any]] = []
    for name in arguments.sets:
        path = Path(arguments.data) / "clip_features" / f"{name}.npz"
        source = load_source(path, "embedded", *SETS[name], lambda done, total, what: None)
        table = Table("shots", "adapter", "accuracy, %", "NLL", "debiased ECE, %", "AURC, %", "fit, s")
        table.title = f"{name}, {arguments.seeds} seeds ({machine})"
        for shots in arguments.shots:
            found = measure(source, shots, arguments.seeds)
            results.append({"set": name, "shots": shots, "adapters": found})
            for adapter, values in found.items():
                table.add_row(
                    str(shots),
                    adapter,
                    cell(values["accuracy"], 100, 1),
                    cell(values["nll"], 1, 3),
                    cell(values["ece"], 100, 1),
                    cell(values["aurc"], 100, 2),
                    cell(values["seconds"], 1, 2),
                )
        Console(width=120).print(table)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": machine, "seeds": arguments.seeds, "results": results})
        )


if __name__ == "__main__":
    main()
