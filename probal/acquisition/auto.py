"""The default strategy: right from the first label on, with nothing to set.

What it decides from the state, and how (docs/auto.md): how far a label reaches, from the number of labels and the
pool's own distances; how much coverage counts against uncertainty, from how much the model doubts; diversity within
the batch, from what its other picks cover. There is no phase to switch and no share to choose.
"""

from __future__ import annotations

import torch

from probal.acquisition.base import AcquisitionState, Choice
from probal.acquisition.herding import herding


def auto(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """Uncertainty herding; measured against random sampling in docs/benchmarks.md."""
    return herding(state, batch, generator)
