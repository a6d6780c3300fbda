"""`auto`: coverage until every class could have been seen, then uncertainty where the pool is dense."""

from __future__ import annotations

import torch

from probal.acquisition.base import AcquisitionState, Choice
from probal.acquisition.batch import margin_density
from probal.acquisition.cold_start import typiclust

COVERAGE_PER_CLASS = 1
"""Labels per class given to coverage before uncertainty is trusted."""


def auto(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """TypiClust while there are fewer than COVERAGE_PER_CLASS · C labels, then dense uncertainty.

    A batch that straddles the limit is split there. The predictions of a cold start are confident about the
    wrong things, and their least certain images are outliers; coverage needs no prediction.
    """
    missing = COVERAGE_PER_CLASS * state.n_classes - len(state.covered)
    if missing <= 0:
        return margin_density(state, batch, generator)
    choices = typiclust(state, min(batch, missing), generator)
    if len(choices) == batch:
        return choices
    taken = torch.tensor([choice.row for choice in choices], dtype=torch.int64)
    rest = state.with_pending(taken)
    return choices + margin_density(rest, batch - len(choices), generator)
