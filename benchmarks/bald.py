"""BALD of a large pool: how well the cheap estimates rank it, and how much cheaper they are than sampling.

    python benchmarks/bald.py [--images 100000] [--classes 100] [--width 512] [--deviation 0.3 0.7] [--seeds 4]
                              [--order] [--json OUT]

Drawn as BayesVLM has it: unit images and class rows in a cone of cosines near 0.6, leverages spread over a factor of
ten, one shared covariance of rank `width`, so nine tenths of a logit's variance move the classes together; classes
have a variance of their own. The leverages are scaled so that a logit's deviation is the one asked for. Rank
correlation: with 10,000 samples in float64 on 2,000 images. Seconds, on one thread and in one run, of all images; the
recipe, 400 logits per image sampled twice (once for the predictive's entropy, once for the expected entropy), is
timed on a twentieth of them and multiplied. Means over seeds with Student's 95 % intervals.

With --order alone, and quickly: rank correlation over a range of deviations, on 1,000 images, against quasi-Monte
Carlo of 4,096 nodes in float64, for as many classes as asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from _few_shot_table import cell
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from torch import Tensor

from probal.acquisition import bald, bald_controlled, bald_second_order
from probal.gaussian import GaussianEmbedding, GaussianLogits, cosine_logits

DEVIATIONS = (0.1, 0.3, 0.5, 0.7, 1.0, 2.0)
ORDERED, NODES = 1_000, 4_096
RECIPE_SAMPLES, TRUTH_SAMPLES, JUDGED, SHARE = 400, 10_000, 2_000, 20
ESTIMATES: dict[str, Callable[[GaussianLogits], Tensor]] = {
    "second order": bald_second_order,
    "controlled, 8 nodes": lambda z: bald_controlled(z, 8),
    "controlled, 16 nodes": lambda z: bald_controlled(z, 16),
    "controlled, 32 nodes": lambda z: bald_controlled(z, 32),
    "quasi-Monte Carlo, 16": lambda z: bald(z, n_samples=16),
    "quasi-Monte Carlo, 64": lambda z: bald(z, n_samples=64),
    "quasi-Monte Carlo, 128": lambda z: bald(z, n_samples=128),
}


def drawn(n: int, classes: int, width: int, deviation: float, seed: int) -> GaussianLogits:
    g = torch.Generator().manual_seed(seed)
    common = torch.randn(1, width, generator=g)

    def cone(rows: int) -> Tensor:
        x = common + 0.8 * torch.randn(rows, width, generator=g)
        return x / x.norm(dim=1, keepdim=True)

    names = cone(classes)
    truth = torch.randint(classes, (n,), generator=g)
    images = cone(n) + 0.6 * names[truth]
    images = images / images.norm(dim=1, keepdim=True)
    leverage = 10 ** torch.rand(n, generator=g) / width
    shared = torch.randn(width, width, generator=g) / width**0.5
    shared = shared @ shared.T
    texts = GaussianEmbedding(names, torch.full_like(names, 0.1 / width))

    def at(size: float) -> GaussianLogits:
        return cosine_logits(GaussianEmbedding(images, leverage=size * leverage, shared=shared), texts, 30.0)

    # the second moment that divides a cosine grows with the variance: a few steps find the size asked for
    size = 1e-3
    for _ in range(8):
        size *= (deviation / float(at(size).rows(slice(0, 2_000)).variance().sqrt().mean())) ** 2
    return at(size)


def sampled(logits: GaussianLogits, samples: int, generator: torch.Generator) -> Tensor:
    """The recipe: logits are drawn twice, the entropies are those of the mean and the mean of those."""
    out = []
    for at in range(0, len(logits), 64):
        block = logits.rows(slice(at, at + 64))
        mean = block.sample(samples, generator).softmax(2).mean(1)
        each = block.sample(samples, generator).softmax(2)
        out.append(torch.special.entr(mean).sum(1) - torch.special.entr(each).sum(2).mean(1))
    return torch.cat(out)


def reference(logits: GaussianLogits, generator: torch.Generator) -> Tensor:
    """One set of draws for both entropies, in float64; the shared noise by a square root [C,C] of its covariance."""
    factor = logits.to(torch.float64).factor
    assert factor is not None
    root = torch.linalg.cholesky(factor @ factor.mT)  # fewer normals than the factor's [C,R]
    logits, out = replace(logits.to(torch.float64), factor=root), []
    for at in range(0, len(logits), 8):
        p = logits.rows(slice(at, at + 8)).sample(TRUTH_SAMPLES, generator).softmax(2)
        out.append(torch.special.entr(p.mean(1)).sum(1) - torch.special.entr(p).sum(2).mean(1))
    return torch.cat(out)


def seconds(work: Callable[[], Tensor]) -> tuple[float, Tensor]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def order(classes: int, width: int, seeds: int) -> Table:
    """Each estimate's rank correlation with many nodes, over the deviation of the logits."""
    table = Table("estimate", *(f"{deviation:g}" for deviation in DEVIATIONS))
    table.title = f"rank correlation by deviation, C = {classes}, {seeds} seeds"
    found: dict[str, list[list[float]]] = {name: [] for name in ESTIMATES}
    for deviation in DEVIATIONS:
        runs: dict[str, list[float]] = {name: [] for name in ESTIMATES}
        for seed in range(seeds):
            logits = drawn(ORDERED, classes, width, deviation, seed)
            truth = bald(logits.to(torch.float64), n_samples=NODES)
            for name, each in ESTIMATES.items():
                runs[name].append(float(spearmanr(each(logits), truth).statistic))
        for name, values in runs.items():
            found[name].append(values)
    for name, row in found.items():
        table.add_row(name, *(cell(values, 1, 3) for values in row))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--deviation", type=float, nargs="+", default=[0.3, 0.7])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--order", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    if arguments.order:
        Console(width=160).print(order(arguments.classes, arguments.width, arguments.seeds))
        return
    results: list[dict[str, Any]] = []
    for deviation in arguments.deviation:
        rank: dict[str, list[float]] = {}
        gain: dict[str, list[float]] = {}
        spent: dict[str, list[float]] = {}
        for seed in range(arguments.seeds):
            logits = drawn(arguments.images, arguments.classes, arguments.width, deviation, seed)
            truth = reference(logits.rows(slice(0, JUDGED)), torch.Generator().manual_seed(seed))
            part = logits.rows(slice(0, max(JUDGED, arguments.images // SHARE)))
            recipe, found = seconds(partial(sampled, part, RECIPE_SAMPLES, torch.Generator().manual_seed(1)))
            recipe *= len(logits) / len(part)
            judged = {"400 samples, twice": (recipe, found)}
            judged |= {name: seconds(partial(each, logits)) for name, each in ESTIMATES.items()}
            for name, (took, scores) in judged.items():
                rank.setdefault(name, []).append(float(spearmanr(scores[:JUDGED], truth).statistic))
                gain.setdefault(name, []).append(recipe / took)
                spent.setdefault(name, []).append(took)
        size = f"N = {arguments.images}, C = {arguments.classes}, R = {arguments.width}"
        table = Table(title=f"BALD, {size}, deviation {deviation}, {arguments.seeds} seeds ({machine})")
        for column in ("estimate", "rank correlation", "times the recipe's speed", "seconds"):
            table.add_column(column, justify="right")
        for name in rank:
            table.add_row(name, cell(rank[name], 1, 4), cell(gain[name], 1, 0), cell(spent[name], 1, 2))
        Console(width=130).print(table)
        found = {"rank correlation": rank, "times the recipe's speed": gain, "seconds": spent}
        results.append({"deviation": deviation, "size": size, "machine": machine, **found})
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
