"""What debiased ECE a perfectly calibrated model shows: the floor below which the few-shot table says nothing.

    python benchmarks/ece_floor.py --data DIR [--sets …] [--shots 4] [--seeds 10] [--draws 200] [--test 1000]

BayesAdapter's probabilities on the few-shot benchmark's test images, and labels drawn from these probabilities: the
model is then right about itself. Debiased ECE in percent over draws and seeds: mean, the central 95 % of a single
seed's, and of the mean over the seeds. Markdown.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from _few_shot_data import SETS, draw
from _few_shot_methods import by_id

from probal.evaluation import debiased_ece


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=["food10", "cifar10", "pets", "dtd"])
    parser.add_argument("--shots", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--test", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    torch.set_num_threads(1)
    print("| set | test images | mean | of one seed | of the mean over seeds |\n|---|---|---|---|---|")
    for name in arguments.sets:
        found = []
        for seed in range(arguments.seeds):
            labels = draw(Path(arguments.data), name, arguments.shots, seed, arguments.test)
            probs = by_id("bayes", labels, seed)().double().numpy()
            found.append(errors(probs / probs.sum(1, keepdims=True), arguments.draws, seed))
        one, mean = 100 * np.array(found), 100 * np.mean(found, axis=0)  # [S,draws], [draws]
        cells = [
            f"{one.mean():.2f}",
            *(f"{low:+.2f} to {high:+.2f}" for low, high in map(central, (one, mean))),
        ]
        print(f"| {name} | {len(labels.test_y):,} | {' | '.join(cells)} |", flush=True)


def errors(probs: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Debiased ECE of `probs` [M,C] against labels drawn from them, [draws]."""
    rng = np.random.default_rng(seed)
    below = probs.cumsum(1)
    below[:, -1] = 1.0
    drawn = [(rng.random((len(probs), 1)) > below).sum(1) for _ in range(draws)]
    return np.array([debiased_ece(probs, y, generator=rng) for y in drawn])


def central(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
