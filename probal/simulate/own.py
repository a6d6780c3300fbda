"""ProbAL's own learners: a strategy and an adapter, as the loop of a project has them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from probal.acquisition import AcquisitionState, find_strategy, uncertainty
from probal.adapters import AdapterPosterior, load_adapter
from probal.gaussian import GaussianEmbedding
from probal.random import torch_generator
from probal.simulate.code import code_digest
from probal.simulate.learner import Round


class AdapterLearner:
    """A strategy and an adapter of ProbAL; UserError for ids that do not exist."""

    def __init__(self, strategy: str, adapter: str) -> None:
        self._strategy, self._adapter = strategy, adapter
        self._choose = find_strategy(strategy)
        self._module = type(load_adapter(adapter, 1.0)).__module__
        self._posterior: AdapterPosterior | None = None

    def identity(self) -> Mapping[str, str]:
        code = code_digest((self._choose.__module__, self._module, "probal.simulate.play", __name__))
        return {"strategy": self._strategy, "adapter": self._adapter, "code": code}

    def fit(self, now: Round) -> None:
        x = torch.from_numpy(now.x[now.rows])
        prior = GaussianEmbedding(torch.from_numpy(now.prototypes))
        start = None if self._posterior is None else self._posterior.tensors()
        adapter = load_adapter(self._adapter, now.scale)
        self._posterior = adapter.fit(x, torch.from_numpy(now.labels), prior, start)

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        assert self._posterior is not None
        return uncertainty(self._posterior.logits(torch.tensor(x))).predictive.numpy()

    def query(self, now: Round, batch: int) -> np.ndarray:
        """The strategy itself, without the reasons that `propose` adds: nobody reads them here."""
        x, posterior = torch.tensor(now.x), self._posterior
        assert posterior is not None
        rows, labels, flagged = map(torch.from_numpy, (now.rows, now.labels, now.flagged))
        nobody = torch.empty(0, dtype=torch.int64)
        state = AcquisitionState(
            x, posterior.logits(x), rows, labels, nobody, posterior.joint, closed=flagged
        )
        # flags count: a batch that was flagged whole must not be drawn from the same stream again
        generator = torch_generator(now.seed, self._strategy, len(state.covered))
        choices = self._choose(state, min(batch, len(state.candidates)), generator)
        return np.array([choice.row for choice in choices], np.int64)
