"""The sets of the few-shot benchmark: which labels each seed draws, and on which images it measures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from probal.simulate import Source, load_source, split

ENCODER_SCALE = 100.0
"""CLIP's own logit scale: what CLAP and the paper's recipe use, with class texts or without."""
SETS = {
    "food10": ("food10_vitb32", "train", "test"),
    "cifar10": ("cifar10_test500_vitb32", None, None),
    "imagenet4": ("imagenet_train4_vitb32_with_text", "train4", None),
    "caltech101": ("caltech101_vitb32", "train16", "test"),
    "pets": ("oxford_pets_vitb32", "train16", "test"),
    "dtd": ("dtd_vitb32", "val", "test"),
}
"""Set -> file, keys of the pool and of the test images; without the latter a third is held out, by seed."""


@dataclass(frozen=True)
class Draw:
    """One seed's labels, and the images it is measured on."""

    x: Tensor  # [n,D]
    y: Tensor  # [n]
    prototypes: Tensor  # [C,D]
    scale: float
    test_x: Tensor  # [Nt,D]
    test_y: np.ndarray  # [Nt]


@cache
def source(data: Path, name: str) -> Source:
    file, pool, test = SETS[name]
    return load_source(data / "clip_features" / f"{file}.npz", "embedded", pool, test, lambda *at: None)


def draw(data: Path, name: str, shots: int, seed: int, most_test: int) -> Draw:
    """`shots` labels per class at random, fewer where a class has fewer; at most `most_test` test images, by seed."""
    task = split(source(data, name), seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(task.pool_y))
    rows = np.concatenate([order[task.pool_y[order] == c][:shots] for c in np.unique(task.pool_y)])
    test = rng.permutation(len(task.eval_y))[:most_test]
    return Draw(
        torch.from_numpy(task.pool_x[rows]),
        torch.from_numpy(task.pool_y[rows]),
        torch.from_numpy(task.prototypes),
        task.scale,
        torch.from_numpy(task.eval_x[test]),
        task.eval_y[test],
    )


def most_shots(data: Path, name: str) -> int:
    """The most labels of any class in the pool of seed 0: more shots would draw the same."""
    return int(np.bincount(split(source(data, name), 0).pool_y).max())
