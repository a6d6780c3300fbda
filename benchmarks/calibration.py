"""Calibration while labels are chosen: what each way to set BayesAdapter's sharpness gives on the same labels.

    python -m benchmarks.calibration --data DIR [--sets digits food10] [--seeds 2]

`auto` and random sampling choose the labels, with the adapter as it is; every second round each way is fitted on
them and measured on the measuring images and on what is left of the pool. `mode` is the maximum a posteriori with
scale and amplitude by leave-one-out and no covariance, `left out` multiplies its logits by the factor that is
likeliest for the labels left out one at a time, `earlier` is the adapter's own way, `best` is the factor likeliest
for the measuring labels, which nobody has. Cells are debiased ECE in percent / NLL, means over rounds and seeds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.sets import SETS, load_sets
from probal.adapters import BayesAdapter
from probal.adapters._hyperparameters import cavity
from probal.adapters._softmax_gp import find_mode
from probal.evaluation import debiased_ece, nll
from probal.gaussian import GaussianEmbedding
from probal.simulate import split
from probal.simulate.learner import Round
from probal.simulate.own import AdapterLearner
from probal.simulate.task import Task

WAYS = ("mode", "left out", "earlier", "best")
_FACTORS = torch.exp(torch.linspace(-1.2, 1.6, 57))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["digits", "food10", "cifar10"], choices=list(SETS))
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| set | labels | measured on | {' | '.join(WAYS)} |\n|{'---|' * (len(WAYS) + 3)}")
    for each, source in load_sets(arguments.sets, arguments.data):
        for strategy in ("auto", "random"):
            cells: dict[str, list[list[tuple[float, float]]]] = defaultdict(list)
            for seed in range(arguments.seeds):
                task = split(source, seed)
                for rows in labels_of(task, strategy, each.batch_size, each.budget, seed)[1::2]:
                    for images, found in measure(task, rows).items():
                        cells[images].append(found)
            for images, found in cells.items():
                means = np.mean(found, axis=0)
                told = " | ".join(f"{100 * error:.1f} / {loss:.3f}" for error, loss in means)
                print(f"| {each.name} | {strategy} | {images} | {told} |", flush=True)


def labels_of(task: Task, strategy: str, batch: int, budget: int, seed: int) -> list[np.ndarray]:
    """Rows labeled by each round, in order."""
    learner = AdapterLearner(strategy, "bayes")
    rounds = [np.empty(0, np.int64)]
    while len(rounds[-1]) < budget:
        rows = rounds[-1]
        flagged = np.empty(0, np.int64)
        now = Round(task.pool_x, rows, task.answers[rows], flagged, task.prototypes, task.scale, seed)
        learner.fit(now)
        rounds.append(np.concatenate([rows, learner.query(now, min(batch, budget - len(rows)))]))
    return rounds


def measure(task: Task, rows: np.ndarray) -> dict[str, list[tuple[float, float]]]:
    """Debiased ECE and NLL of each way, on the measuring images and on the rest of the pool."""
    x, y = torch.from_numpy(task.pool_x[rows]), torch.from_numpy(task.answers[rows])
    prior = GaussianEmbedding(torch.from_numpy(task.prototypes))
    own = BayesAdapter(task.scale).fit(x, y, prior)
    plain = BayesAdapter(
        task.scale, amplitude=own.amplitude, temperature=1e-9, sharpness=1.0
    )  # its scale is chosen as the adapter's own is
    at_mode = plain.fit(x, y, prior)
    rest = np.setdiff1d(np.arange(len(task.pool_x)), rows)
    places = {"the rest": (task.pool_x[rest], task.pool_y[rest]), "test": (task.eval_x, task.eval_y)}
    test_logits = at_mode.logits(torch.from_numpy(task.eval_x)).mean
    best = likeliest(test_logits, torch.from_numpy(task.eval_y))
    left_out = likeliest(*without_own_label(x, y, prior, at_mode.scale, at_mode.amplitude))
    found = {}
    for name, (images, answers) in places.items():
        logits = at_mode.logits(torch.from_numpy(images)).mean
        ways = {
            "mode": torch.softmax(logits, 1),
            "left out": torch.softmax(left_out * logits, 1),
            "earlier": own.logits(torch.from_numpy(images)).predictive("qmc"),
            "best": torch.softmax(best * logits, 1),
        }
        found[name] = [(debiased_ece(p, answers, n_draws=50), nll(p, answers)) for p in ways.values()]
    return found


def without_own_label(
    x: Tensor, y: Tensor, prior: GaussianEmbedding, scale: float, amplitude: float
) -> tuple[Tensor, Tensor]:
    """Logits [m,C] of the labels that others could predict, each without itself, and these labels [m]."""
    moved = x.double() - x.double().sum(0) / (len(x) + 4)
    gram, offset = amplitude * moved @ moved.T, scale * x.double() @ prior.mean.double().T
    gains = torch.ones(len(prior), dtype=torch.float64)
    mean, _ = cavity(gram, y, find_mode(offset, gram, y), gains)
    asked = torch.bincount(y)[y] > (0 if bool(offset.any()) else 1)
    return mean[asked], y[asked]


def likeliest(logits: Tensor, y: Tensor) -> float:
    """The factor under which y [m] is likeliest; 1 where there is nothing to ask."""
    if not len(y):
        return 1.0
    scores = [float(torch.log_softmax(s * logits, 1).gather(1, y[:, None]).sum()) for s in _FACTORS]
    return float(_FACTORS[int(np.argmax(scores))])


if __name__ == "__main__":
    main()
