"""Evidence or leave-one-out: which one finds BayesAdapter's amplitude, and how honest is its covariance?

    python benchmarks/hyperparameters.py --data DIR [--seeds 5] [--json OUT]

For random labels of each set and size, over a grid of amplitudes at the encoder's own scale: the amplitude that
the Laplace evidence, the leave-one-out likelihood and the held-out NLL would choose (geometric means over seeds),
and the held-out NLL at each choice. Last column: the NLL of the predictive with the whole Laplace covariance
(temperature 1) at the leave-one-out choice. Then leave-one-out against refitting n times.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from probal.adapters import BayesAdapter
from probal.adapters._dual import factor, log_evidence
from probal.adapters._hyperparameters import leave_one_out
from probal.adapters._softmax_gp import find_mode
from probal.gaussian import GaussianEmbedding
from probal.simulate import Task, load_source, split

GRID = [4.0**k for k in range(-1, 8)]
SETS = {
    "food10_vitb32": ("train", "test"),
    "cifar10_test500_vitb32": (None, None),
    "oxford_pets_vitb32": ("val", "test"),
    "dtd_vitb32": ("val", "test"),
}


def nll(logits: Tensor, y: Tensor) -> float:
    return float(-torch.log_softmax(logits, 1).gather(1, y[:, None]).mean())


def one(task: Task, n: int, seed: int) -> dict[str, float]:
    """Choices of one draw of n labels, and what they cost on held-out images."""
    rows = np.random.default_rng(seed).permutation(len(task.pool_y))[:n]
    x, y = torch.from_numpy(task.pool_x)[rows].double(), torch.from_numpy(task.pool_y)[rows]
    eval_x, eval_y = torch.from_numpy(task.eval_x).double(), torch.from_numpy(task.eval_y)
    prototypes = torch.from_numpy(task.prototypes).double()
    alike, zero_shot, gains = x @ x.T, x @ prototypes.T, torch.ones(len(prototypes), dtype=torch.float64)
    scores: dict[str, list[float]] = {"evidence": [], "leave-one-out": [], "held-out": []}
    for amplitude in GRID:
        gram, offset = amplitude * alike, task.scale * zero_shot
        mode = find_mode(offset, gram, y)
        scores["evidence"].append(log_evidence(mode, factor(gram, mode.probs, gains)))
        scores["leave-one-out"].append(float(leave_one_out(gram, y, mode, gains).sum()))
        weights = task.scale * prototypes + amplitude * mode.representer.T @ x
        scores["held-out"].append(-nll(eval_x @ weights.T, eval_y))
    best = {name: int(np.argmax(values)) for name, values in scores.items()}
    found = {f"{name} choice": float(np.log(GRID[i])) for name, i in best.items()}
    found |= {f"{name} nll": -scores["held-out"][i] for name, i in best.items()}
    adapter = BayesAdapter(task.scale, False, GRID[best["leave-one-out"]], temperature=1.0)
    whole = adapter.fit(x, y, GaussianEmbedding(prototypes)).logits(eval_x).predictive()
    found["temperature 1 nll"] = float(-whole.gather(1, eval_y[:, None]).log().mean())
    offset, gram = task.scale * zero_shot, 16.0 * alike
    mode = find_mode(offset, gram, y)
    refitted = []
    for i in range(min(n, 50)):
        keep = torch.arange(n) != i
        others = find_mode(offset[keep], gram[keep][:, keep], y[keep]).representer
        refitted.append(torch.log_softmax(offset[i] + gram[i, keep] @ others, 0)[y[i]])
    quick = leave_one_out(gram, y, mode, gains)[: len(refitted)]
    found["leave-one-out less refitting"] = float((quick - torch.stack(refitted)).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"), required=False)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 100, 200])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    torch.set_num_threads(1)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    table = Table(title=f"amplitude by three judges, {arguments.seeds} seeds ({machine})")
    for column in (
        "set",
        "labels",
        "evidence",
        "leave-one-out",
        "held-out",
        "NLL at evidence's",
        "NLL at leave-one-out's",
        "best NLL",
        "NLL at temperature 1",
        "leave-one-out − refit",
    ):
        table.add_column(column, justify="right")
    results = []
    for name, keys in SETS.items():
        source = load_source(
            Path(arguments.data) / "clip_features" / f"{name}.npz",
            "embedded",
            *keys,
            lambda done, total, what: None,
        )
        for n in arguments.sizes:
            runs = [one(split(source, seed), n, seed) for seed in range(arguments.seeds)]
            mean = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
            error = {
                key: float(np.std([run[key] for run in runs], ddof=1) / len(runs) ** 0.5) for key in runs[0]
            }
            results.append({"set": name, "labels": n, "mean": mean, "standard_error": error})
            choices = [
                f"{np.exp(mean[f'{judge} choice']):.0f}"
                for judge in ("evidence", "leave-one-out", "held-out")
            ]
            costs = [
                f"{mean[key]:.3f} ± {1.96 * error[key]:.3f}"
                for key in (
                    "evidence nll",
                    "leave-one-out nll",
                    "held-out nll",
                    "temperature 1 nll",
                    "leave-one-out less refitting",
                )
            ]
            table.add_row(name, str(n), *choices, *costs)
    Console(width=180).print(table)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": machine, "seeds": arguments.seeds, "results": results}, indent=1)
        )


if __name__ == "__main__":
    main()
