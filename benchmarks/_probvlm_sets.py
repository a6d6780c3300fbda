"""What ProbVLM's benchmarks measure on, and how a score of uncertainty is compared with errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from probal.evaluation import auroc
from probal.probvlm import GeneralizedGaussian
from probal.probvlm.calibration import LEVELS, bins_of, calibration_error

FOLDS, BINS, RESAMPLES, SCALE = 4, 10, 1000, 100.0


@dataclass(frozen=True)
class Set:
    x: Tensor  # [N, D] unit
    y: Tensor  # [N]
    texts: Tensor  # [C, D] unit

    def error(self) -> Tensor:
        """1 where recall@1 fails, [N]."""
        return ((self.x @ self.texts.mT).argmax(1) != self.y).double()

    def rows(self, keep: Tensor) -> Set:
        return Set(self.x[keep], self.y[keep], self.texts)


def read(path: Path, x: str, y: str) -> Set:
    with np.load(path, allow_pickle=False) as found:
        unit = [torch.nn.functional.normalize(torch.from_numpy(found[k].astype("f4"))) for k in (x, "text_x")]
        return Set(unit[0], torch.from_numpy(found[y]), unit[1])


def imagenet4(features: Path) -> Set:
    return read(features / "imagenet_train4_vitb32_with_text.npz", "train4_x", "train4_y")


def others(features: Path) -> dict[str, Set]:
    return {
        "Food10": read(features / "food10_vitb32.npz", "test_x", "test_y"),
        "CIFAR-10": read(features / "cifar10_test500_vitb32.npz", "x", "y"),
    }


def fold_of(source: Set, by: str) -> Tensor:
    """The fold [N] that an image is held out in; images of a class stand together in the file."""
    order = torch.cat([torch.arange(int(n)) for n in source.y.unique_consecutive(return_counts=True)[1]])
    return (order if by == "images" else source.y) % FOLDS


def folds(source: Set, by: str) -> Iterator[Tensor]:
    """Masks [N] of what is held out."""
    for fold in range(FOLDS):
        yield fold_of(source, by) == fold


def rank_of_bins(score: np.ndarray, wrong: np.ndarray) -> float:
    found = bins_of(torch.from_numpy(score), torch.from_numpy(wrong), BINS)
    return float(spearmanr([b.uncertainty for b in found], [b.error for b in found]).statistic)


def inside(distribution: GeneralizedGaussian, target: Tensor) -> Tensor:
    """Share of each row's D targets inside the central interval of each of the LEVELS, [N, L]."""
    level = distribution.level(target)  # [N, D]
    return torch.stack([(level <= each).double().mean(1) for each in LEVELS], 1)


def covered(shares: Tensor) -> dict[str, Any]:
    """Coverage of every level and its mean distance to the levels, with intervals of a bootstrap over images.

    shares [N, L] of :func:`inside`, averaged over models.
    """
    rng, rows = np.random.default_rng(0), shares.numpy()
    drawn = np.stack([rows[rng.integers(len(rows), size=len(rows))].mean(0) for _ in range(RESAMPLES)])
    mean = shares.mean(0)
    gaps = [calibration_error(torch.from_numpy(each)) for each in drawn]
    return {
        "levels": list(LEVELS),
        "coverage": mean.tolist(),
        "low": np.quantile(drawn, 0.025, axis=0).tolist(),
        "high": np.quantile(drawn, 0.975, axis=0).tolist(),
        "gap": calibration_error(mean),
        "gap interval": [float(each) for each in np.quantile(gaps, [0.025, 0.975])],
    }


def summary(score: Tensor, wrong: Tensor) -> dict[str, Any]:
    """Error by bin, Spearman and AUROC, with percentile intervals of a bootstrap over images.

    A resample's bins are noisier than the sample's, which shuffles them more: Spearman's interval lies low, and with
    few errors the estimate can lie above it. It is a cautious interval, not a symmetric one.
    """
    u, e = score.double().numpy(), wrong.numpy()
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(e), size=len(e)) for _ in range(RESAMPLES)]
    found: dict[str, Any] = {"errors": [b.error for b in bins_of(score, wrong, BINS)]}
    for name, measure in (("spearman", rank_of_bins), ("auroc", auroc)):
        resampled = [measure(u[i], e[i]) for i in drawn]
        low, high = np.nanquantile(resampled, [0.025, 0.975])
        found[name] = {"value": measure(u, e), "low": float(low), "high": float(high)}
    return found
