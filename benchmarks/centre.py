"""Should the labels move images or images less their mean? BayesAdapter with and without its centre.

    python benchmarks/centre.py [--data DIR] [--seeds 3] [--sets NAME ...] [--labels 50 200 400]

Random labels of the sets of `benchmarks.sets`, everything else as the adapter chooses it; held-out accuracy and NLL,
means ± 95 % over seeds, and the accuracy without labels beside them.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

import numpy as np
import torch
from _few_shot_table import cell
from sets import load_sets

from probal.adapters import BayesAdapter
from probal.evaluation import accuracy, nll
from probal.gaussian import GaussianEmbedding
from probal.simulate import split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--sets", nargs="+", default=["imagenet4", "food10", "cifar10", "clothing", "pets", "dtd"]
    )
    parser.add_argument("--labels", type=int, nargs="+", default=[50, 200, 400])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {arguments.seeds} seeds\n"
    )
    print(
        "| set | labels | zero-shot, % | accuracy, % | centred, % | NLL | centred |\n|---|---|---|---|---|---|---|"
    )
    for each, source in load_sets(arguments.sets, arguments.data):
        for n in arguments.labels:
            found = []
            for seed in range(arguments.seeds):
                task = split(source, seed)
                rows = np.random.default_rng(seed).permutation(len(task.pool_y))[:n]
                x, y = torch.from_numpy(task.pool_x[rows]), torch.from_numpy(task.pool_y[rows])
                prior = GaussianEmbedding(torch.from_numpy(task.prototypes))
                zero_shot = (task.eval_x @ task.prototypes.T).argmax(1) == task.eval_y
                one = [100 * zero_shot.mean()]
                for centre in (False, True):
                    posterior = BayesAdapter(task.scale, centre=centre).fit(x, y, prior)
                    p = posterior.logits(torch.from_numpy(task.eval_x)).predictive().numpy()
                    one += [100 * accuracy(p, task.eval_y), nll(p, task.eval_y)]
                found.append([one[0], one[1], one[3], one[2], one[4]])
            digits = (1, 1, 1, 3, 3)
            shown = [cell(list(column), 1.0, d) for column, d in zip(np.array(found).T, digits, strict=True)]
            print(f"| {each.name} | {n} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
