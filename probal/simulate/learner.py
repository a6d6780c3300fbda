"""Who learns and asks in a simulation: ProbAL's own strategies and adapters, and whatever is compared with them.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from probal.acquisition import AcquisitionState, find_strategy, uncertainty
from probal.adapters import AdapterPosterior, load_adapter
from probal.gaussian import GaussianEmbedding
from probal.random import torch_generator
from probal.simulate.code import code_digest


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


class AdapterLearner:
    """A strategy and an adapter of ProbAL; UserError for ids that do not exist."""

    def __init__(self, strategy: str, adapter: str) -> None:
        self._strategy, self._adapter = strategy, adapter
        self._choose = find_strategy(strategy)
        self._module = type(load_adapter(adapter, 1.0)).__module__
        self._posterior: AdapterPosterior

    def identity(self) -> Mapping[str, str]:
        code = code_digest((self._choose.__module__, self._module, "probal.simulate.play", __name__))
        return {"strategy": self._strategy, "adapter": self._adapter, "code": code}

    def fit(self, now: Round) -> None:
        x = torch.from_numpy(now.x[now.rows])
        prior = GaussianEmbedding(torch.from_numpy(now.prototypes))
        self._posterior = load_adapter(self._adapter, now.scale).fit(x, torch.from_numpy(now.labels), prior)

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return uncertainty(self._posterior.logits(torch.tensor(x))).predictive.numpy()

    def query(self, now: Round, batch: int) -> np.ndarray:
        """The strategy itself, without the reasons that `propose` adds: nobody reads them here."""
        x, posterior = torch.tensor(now.x), self._posterior
        rows, labels, flagged = map(torch.from_numpy, (now.rows, now.labels, now.flagged))
        state = AcquisitionState(x, posterior.logits(x), rows, labels, flagged, posterior.joint)
        # flags count: a batch that was flagged whole must not be drawn from the same stream again
        generator = torch_generator(now.seed, self._strategy, len(state.covered))
        choices = self._choose(state, min(batch, len(state.candidates)), generator)
        return np.array([choice.row for choice in choices], np.int64)
