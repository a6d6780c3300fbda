"""Selective classification: how well a confidence tells right predictions from wrong ones, in NumPy.

Shapes use the glossary of `probal.types`: `confidence` [N], higher is surer, `correct` [N] booleans. Images of one
confidence cannot be told apart, so they are accepted or refused together; every number here is the mean over the
orders in which ties could fall. Every function raises ValueError for shapes that do not fit, no images, or a
confidence that is not finite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Error among the accepted images as ever more of them are accepted, surest first."""

    coverage: NDArray[np.float64]  # [N] shares 1/N … 1
    risk: NDArray[np.float64]  # [N] expected error rate among the accepted
    confidence: NDArray[np.float64]  # [N] confidence of the last one accepted

    @property
    def aurc(self) -> float:
        """Mean risk over the N coverages."""
        return float(self.risk.mean())


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """The risk–coverage curve (El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017, arXiv 1705.08500).

    Within a tie the expected number of errors grows evenly.
    """
    surety, right = _checked(confidence, correct)
    order = np.argsort(-surety, kind="stable")
    surety, wrong = surety[order], (~right[order]).astype(np.float64)
    _, group, sizes = np.unique(-surety, return_inverse=True, return_counts=True)
    share = np.bincount(group, weights=wrong) / sizes  # error rate of each tie
    accepted = np.arange(1, len(surety) + 1)
    return RiskCoverage(accepted / len(surety), np.cumsum(share[group]) / accepted, surety)


def aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Area under the risk–coverage curve, in [0, 1], lower is better: mean error over all coverages.

    A useless confidence gives the error rate; the best there is gives `excess_aurc` of zero.
    """
    return risk_coverage(confidence, correct).aurc


def excess_aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """AURC less that of an oracle that ranks every right prediction before every wrong one, never negative.

    Geifman et al. 2019 (arXiv 1805.08206): what of the AURC is the confidence's fault and not the accuracy's.
    """
    _, right = _checked(confidence, correct)
    return max(0.0, aurc(confidence, right) - aurc(right.astype(np.float64), right))


def error_auroc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Chance that a right prediction is surer than a wrong one, ties counting half: AUROC of finding errors.

    The Mann–Whitney statistic. ValueError where all are right or all are wrong: there is nothing to rank.
    """
    surety, right = _checked(confidence, correct)
    n_right = int(right.sum())
    n_wrong = len(right) - n_right
    if not n_right or not n_wrong:
        raise ValueError("an AUROC of errors needs at least one right and one wrong prediction")
    _, group, sizes = np.unique(surety, return_inverse=True, return_counts=True)
    rank = np.cumsum(sizes) - (sizes - 1) / 2  # mean rank of each tie, from 1
    return float((rank[group][right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    surety, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct)
    if surety.ndim != 1 or right.shape != surety.shape:
        raise ValueError(f"confidence and correct must be [N], got {surety.shape} and {right.shape}")
    if right.dtype != np.bool_:
        raise ValueError(f"correct must be booleans, got {right.dtype}")
    if not len(surety):
        raise ValueError("no images to measure on")
    if not np.isfinite(surety).all():
        raise ValueError("every confidence must be finite")
    return surety, right
