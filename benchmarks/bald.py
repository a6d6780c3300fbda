"""BALD of a large pool: how well the cheap estimates rank it, and how much cheaper they are than sampling.

    python benchmarks/bald.py [--images 100000] [--classes 100] [--width 512] [--deviation 0.3 0.7] [--seeds 3]

Drawn as BayesVLM has it: unit images and class rows in a cone of cosines near 0.6, leverages spread over a factor of
ten, one shared covariance of rank `width`, so nine tenths of a logit's variance move the classes together; classes
have a variance of their own. The leverages are scaled so that a logit's deviation is the one asked for. Rank
correlation: with 10,000 samples in float64 on 2,000 images. Seconds, on one thread and in one run, of all images; the
recipe, 400 logits per image sampled twice (once for the predictive's entropy, once for the expected entropy), is
timed on a twentieth of them and multiplied. Means over seeds, ranges in brackets.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from torch import Tensor

from probal.acquisition import bald, bald_controlled, bald_second_order
from probal.gaussian import GaussianEmbedding, GaussianLogits, cosine_logits

RECIPE_SAMPLES, TRUTH_SAMPLES, JUDGED, SHARE = 400, 10_000, 2_000, 20
ESTIMATES: dict[str, Callable[[GaussianLogits], Tensor]] = {
    "second order": bald_second_order,
    "controlled, 8 nodes": lambda z: bald_controlled(z, 8),
    "controlled, 16 nodes": lambda z: bald_controlled(z, 16),
    "controlled, 32 nodes": lambda z: bald_controlled(z, 32),
    "quasi-Monte Carlo, 16": lambda z: bald(z, n_samples=16),
    "quasi-Monte Carlo, 64": lambda z: bald(z, n_samples=64),
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
    """One set of draws for both entropies, in float64."""
    out = []
    for at in range(0, len(logits), 8):
        p = logits.rows(slice(at, at + 8)).to(torch.float64).sample(TRUTH_SAMPLES, generator).softmax(2)
        out.append(torch.special.entr(p.mean(1)).sum(1) - torch.special.entr(p).sum(2).mean(1))
    return torch.cat(out)


def seconds(work: Callable[[], Tensor]) -> tuple[float, Tensor]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def shown(values: list[float], digits: int) -> str:
    return f"{sum(values) / len(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--deviation", type=float, nargs="+", default=[0.3, 0.7])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
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
            table.add_row(name, shown(rank[name], 4), shown(gain[name], 1), shown(spent[name], 2))
        Console(width=130).print(table)


if __name__ == "__main__":
    main()
