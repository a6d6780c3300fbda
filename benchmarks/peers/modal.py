"""modAL: its learner with its query strategies; the first batch is random, since it starts from labels."""

from __future__ import annotations

import numpy as np
from modAL.batch import uncertainty_batch_sampling
from modAL.models import ActiveLearner
from modAL.uncertainty import entropy_sampling, margin_sampling, uncertainty_sampling
from sklearn.linear_model import LogisticRegression

from benchmarks.peers.base import Peer
from probal.simulate import Round

STRATEGIES = {
    "uncertainty": uncertainty_sampling,
    "margin": margin_sampling,
    "entropy": entropy_sampling,
    "ranked-batch": uncertainty_batch_sampling,
}


class ModAl(Peer):
    package = "modAL-python"

    def choose(self, now: Round, batch: int, rng: np.random.RandomState) -> np.ndarray:
        if not self.classifier.fitted:
            return self.at_random(now, batch, rng)
        learner = ActiveLearner(
            LogisticRegression(C=self.setting, max_iter=1000),
            STRATEGIES[self.strategy],
            now.x[now.rows],
            now.labels,
        )
        found, _ = learner.query(now.x[now.free], n_instances=batch)
        return now.free[found]
