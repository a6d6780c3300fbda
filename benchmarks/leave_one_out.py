"""Is leave-one-out by one cavity step right? Against fitting without the image, with few and with many classes.

    python benchmarks/leave_one_out.py --data DIR [--sets …] [--seeds 2] [--asked 40] [--amplitudes 16 169 2000]

Random labels, three a class, 300 for ImageNet-4's 1,000 classes; the model of BayesAdapter at the encoder's scale,
images less the centre of the labeled ones. Mean log likelihood in nats of some labels, each left out: by a fit
without it, its image no part of the centre; by `leave_one_out`, which chooses scale and amplitude; and the
latter less the former, ± 95 % over the images of all seeds. Markdown.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from _few_shot_data import SETS, source
from _few_shot_table import cell
from torch import Tensor

from probal.adapters._leave_one_out import leave_one_out
from probal.adapters._softmax_gp import find_mode
from probal.adapters.bayes_adapter import _CENTRE_LABELS
from probal.simulate import split

LABELS_A_CLASS, MOST_LABELS, TOLERANCE = 3, 300, 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument(
        "--sets", nargs="+", choices=list(SETS), default=["imagenet4", "food10", "pets", "dtd"]
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--asked", type=int, default=40)
    parser.add_argument("--amplitudes", type=float, nargs="+", default=[16.0, 169.0, 2000.0])
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    torch.set_num_threads(1)
    print(
        "| set | labels | classes | κ | refitted | leave-one-out | difference |\n|---|---|---|---|---|---|---|"
    )
    for name in arguments.sets:
        found: dict[float, list[tuple[float, float]]] = {each: [] for each in arguments.amplitudes}
        for seed in range(arguments.seeds):
            task = split(source(Path(arguments.data), name), seed)
            prototypes = torch.from_numpy(task.prototypes).double()
            n = min(LABELS_A_CLASS * len(prototypes), MOST_LABELS)
            rows = np.random.default_rng(seed).permutation(len(task.pool_y))[:n]
            x, y = torch.from_numpy(task.pool_x[rows]).double(), torch.from_numpy(task.pool_y[rows])
            for amplitude, pairs in found.items():
                pairs += compare(x, y, task.scale * x @ prototypes.T, amplitude, arguments.asked)
        for amplitude, pairs in found.items():
            refitted, quick = (np.array(each) for each in zip(*pairs, strict=True))
            cells = [f"{refitted.mean():.3f}", f"{quick.mean():.3f}", cell(quick - refitted, 1, 3)]
            print(f"| {name} | {n} | {len(prototypes)} | {amplitude:g} | {' | '.join(cells)} |", flush=True)


def compare(x: Tensor, y: Tensor, offset: Tensor, amplitude: float, asked: int) -> list[tuple[float, float]]:
    """Log likelihood refitted and by leave-one-out of every so many of the labels x [n,D], y [n]; offset [n,C]."""
    n, ones = len(x), torch.ones(offset.shape[1], dtype=torch.float64)
    moved = x - centre(x)
    gram = amplitude * moved @ moved.T
    mode = find_mode(offset, gram, y, None, TOLERANCE, ones)
    quick = leave_one_out(gram, y, mode, ones)
    found = []
    for i in range(0, n, max(1, n // asked)):
        rest = torch.arange(n) != i
        without = x[rest] - centre(x[rest])
        own = amplitude * without @ (x[i] - centre(x[rest]))
        there = find_mode(
            offset[rest], amplitude * without @ without.T, y[rest], mode.representer[rest], TOLERANCE, ones
        )
        logits = offset[i] + own @ there.representer
        found.append((float(logits.log_softmax(0)[y[i]]), float(quick[i])))
    return found


def centre(x: Tensor) -> Tensor:
    return x.sum(0) / (len(x) + _CENTRE_LABELS)


if __name__ == "__main__":
    main()
