"""Where BayesAdapter's hyperpriors should be centred: accuracy and NLL of the first labels of the loop.

    python benchmarks/hyperprior.py --data DIR [--sets cifar10 food10 pets dtd] [--seeds 8] [--labels 10 20 40 80]

Labels are drawn at random, and chosen by `auto` in batches of ten with the adapter as it is; each hyperprior fits the
same ones. Columns: the amplitude's centre held at its lower end, at its upper end, moving between them with the share
of classes that have a label (what the adapter does), and that with the scale's spread at log 2. Mean ± 95 % over
seeds, and the accuracy without labels beside them.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from _few_shot_table import cell
from sets import load_sets
from torch import Tensor

from probal.acquisition import AcquisitionState, propose
from probal.adapters import BayesAdapter, _hyperparameters
from probal.evaluation import accuracy, nll
from probal.gaussian import GaussianEmbedding
from probal.random import torch_generator
from probal.simulate import split
from probal.simulate.task import Task

BATCH = 10
WIDE = 0.69
"""The scale's spread that is compared: a factor of two."""


def hyperpriors(prior: bool) -> dict[str, dict[str, object]]:
    """What stands in `_hyperparameters` for each column."""
    name = "AMPLITUDE" if prior else "AMPLITUDE_BARE"
    few, all_seen = getattr(_hyperparameters, name)
    found: dict[str, dict[str, object]] = {
        "low": {name: (few, few)},
        "high": {name: (all_seen, all_seen)},
        "moving": {},
    }
    return found | ({"moving, wide scale": {"_SCALE_SPREAD": WIDE}} if prior else {})


def chosen(task: Task, x: Tensor, y: Tensor, prior: GaussianEmbedding, n: int, seed: int) -> Tensor:
    """Rows that `auto` asks for, [n]."""
    rows, adapter = torch.empty(0, dtype=torch.int64), BayesAdapter(task.scale)
    while len(rows) < n:
        posterior = adapter.fit(x[rows], y[rows], prior)
        pending = torch.empty(0, dtype=torch.int64)
        state = AcquisitionState(x, posterior.logits(x), rows, y[rows], pending, posterior.joint)
        picks = propose("auto", state, BATCH, torch_generator(seed, "auto", len(rows)))
        rows = torch.cat([rows, torch.tensor([pick.row for pick in picks])])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sets", nargs="+", default=["cifar10", "food10", "pets", "dtd"])
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 20, 40, 80])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {arguments.seeds} seeds\n"
    )
    print("| set | labels | no label, % | hyperprior | accuracy, % | NLL |\n|---|---|---|---|---|---|")
    for each, source in load_sets(arguments.sets, arguments.data):
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        before = []
        for seed in range(arguments.seeds):
            task = split(source, seed)
            prior = GaussianEmbedding(torch.from_numpy(task.prototypes))
            x, y = torch.from_numpy(task.pool_x), torch.from_numpy(task.pool_y)
            before.append(accuracy(_softmax(task), task.eval_y))
            most = max(arguments.labels)
            orders = {
                "random": torch.from_numpy(np.random.default_rng(seed).permutation(len(y))[:most]),
                "auto": chosen(task, x, y, prior, most, seed),
            }
            for how, order in orders.items():
                for n in arguments.labels:
                    for name, values in hyperpriors(bool(prior.mean.any())).items():
                        with patch.dict(vars(_hyperparameters), values):
                            posterior = BayesAdapter(task.scale).fit(x[order[:n]], y[order[:n]], prior)
                        p = posterior.logits(torch.from_numpy(task.eval_x)).predictive().double().numpy()
                        p /= p.sum(1, keepdims=True)
                        pair = (accuracy(p, task.eval_y), nll(p, task.eval_y))
                        found.setdefault((f"{n} {how}", name), []).append(pair)
        for (labels, name), pairs in found.items():
            hits, losses = zip(*pairs, strict=True)
            shown = f"{cell(hits, 100, 1)} | {cell(losses, 1, 3)}"
            print(f"| {each.name} | {labels} | {cell(before, 100, 1)} | {name} | {shown} |", flush=True)


def _softmax(task: Task) -> np.ndarray:
    logits = torch.from_numpy(task.scale * task.eval_x @ task.prototypes.T)
    return torch.softmax(logits, 1).double().numpy()


if __name__ == "__main__":
    main()
