"""Who learns and asks in a simulation, and what it is shown.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Round:
    """What is known when a batch is to be chosen; C counts the classes listed by then."""

    x: np.ndarray  # [N,D] unit rows of the pool
    rows: np.ndarray  # [n] labeled
    labels: np.ndarray  # [n] their answers, below C
    flagged: np.ndarray  # [m] rows found to be of no class
    prototypes: np.ndarray  # [C,D] zero where there is no text
    scale: float
    seed: int
    """Of the run; whoever draws derives from it."""

    @property
    def free(self) -> np.ndarray:
        """Rows that may be asked for, in order."""
        return np.setdiff1d(np.arange(len(self.x)), np.concatenate([self.rows, self.flagged]))


class Learner(Protocol):
    """A strategy with its classifier. A new one is made for every run."""

    def identity(self) -> Mapping[str, str]:
        """What tells its results from others': `strategy` and `adapter` as shown, and versions or settings."""
        ...

    def fit(self, now: Round) -> None:
        """Learn from the labels so far; there may be none, or none of some class."""
        ...

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Probabilities [M,C] of unit rows [M,D] after `fit`."""
        ...

    def query(self, now: Round, batch: int) -> np.ndarray:
        """At most `batch` rows of `now.free` after `fit`, each once."""
        ...
