"""Selective classification: how well a confidence tells right predictions from wrong ones, in NumPy.

Shapes use the glossary of `probal.types`: `confidence` [N], higher is surer, `correct` [N] booleans. Images of one
confidence cannot be told apart, so they are accepted or refused together; every number here is the mean over the
orders in which ties could fall. Every function raises ValueError for shapes that do not fit, no images, or a
confidence or score that is not finite.
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

    A useless confidence gives the error rate.
    """
    return risk_coverage(confidence, correct).aurc


def auroc(score: ArrayLike, wrong: ArrayLike) -> float:
    """Chance that a wrong prediction scores above a right one, ties counting half; NaN without both kinds.

    The Mann–Whitney statistic. `wrong` [N] are booleans, or 1 and 0; a confidence is scored by its negative.
    """
    found, errors = _checked(score, np.asarray(wrong) > 0, "score", "wrong")
    n_wrong = int(errors.sum())
    n_right = len(errors) - n_wrong
    if not n_right or not n_wrong:
        return float("nan")
    _, group, sizes = np.unique(found, return_inverse=True, return_counts=True)
    rank = np.cumsum(sizes) - (sizes - 1) / 2  # mean rank of each tie, from 1
    return float((rank[group][errors].sum() - n_wrong * (n_wrong + 1) / 2) / (n_wrong * n_right))


def _checked(
    score: ArrayLike, which: ArrayLike, name: str = "confidence", kind: str = "correct"
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    found, mask = np.asarray(score, dtype=np.float64), np.asarray(which)
    if found.ndim != 1 or mask.shape != found.shape:
        raise ValueError(f"{name} and {kind} must be [N], got {found.shape} and {mask.shape}")
    if mask.dtype != np.bool_:
        raise ValueError(f"{kind} must be booleans, got {mask.dtype}")
    if not len(found):
        raise ValueError("no images to measure on")
    if not np.isfinite(found).all():
        raise ValueError(f"every {name} must be finite")
    return found, mask
