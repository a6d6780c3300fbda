"""How much an image is worth asking about, as the balanced and the stochastic batches take it; larger is more."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from probal.acquisition.base import AcquisitionState
from probal.acquisition.scores import margin_of


def doubt(state: AcquisitionState) -> Tensor:
    """One minus the margin of the predictive, [N]."""
    return 1 - margin_of(state.uncertainty.predictive)


def _total(state: AcquisitionState) -> Tensor:
    return state.uncertainty.total


def _epistemic(state: AcquisitionState) -> Tensor:
    return state.uncertainty.epistemic


DOUBTS: dict[str, Callable[[AcquisitionState], Tensor]] = {
    "margin": doubt,
    "entropy": _total,
    "bald": _epistemic,
}
"""Score of every image of the pool, [N] ≥ 0."""
