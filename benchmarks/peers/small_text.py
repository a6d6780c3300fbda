"""small-text: the strategies that need no text, on vectors; the first batch is random, since it starts from labels.

Breaking ties, least confidence and entropy are the same functions as in scikit-activeml and modAL. BALD and SEALS
need its text classifiers, and are left out.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from small_text.classifiers.factories import SklearnClassifierFactory
from small_text.data.datasets import SklearnDataset
from small_text.query_strategies import (
    DiscriminativeActiveLearning,
    EmbeddingKMeans,
    GreedyCoreset,
    LightweightCoreset,
)

from benchmarks.peers.base import Peer
from probal.simulate import Round

BY_VECTORS = {
    "greedy-coreset": GreedyCoreset,
    "lightweight-coreset": LightweightCoreset,
    "embedding-k-means": EmbeddingKMeans,
}
STRATEGIES = (*BY_VECTORS, "discriminative")
DISCRIMINATIONS = 5
"""Refits of the labeled-or-not classifier within one batch."""


class SmallText(Peer):
    package = "small-text"

    def choose(self, now: Round, batch: int, rng: np.random.RandomState) -> np.ndarray:
        if not self.classifier.fitted:
            return self.at_random(now, batch, rng)
        before = np.random.get_state()  # noqa: NPY002 — small-text draws from numpy's global generator
        np.random.seed(rng.randint(2**31))  # noqa: NPY002
        try:
            return self._asked(now, batch)
        finally:
            np.random.set_state(before)  # noqa: NPY002

    def _asked(self, now: Round, batch: int) -> np.ndarray:
        if self.strategy == "discriminative":
            factory = SklearnClassifierFactory(LogisticRegression(C=self.setting, max_iter=1000), 2)
            times = min(DISCRIMINATIONS, batch)
            asked: Any = DiscriminativeActiveLearning(factory, times, pbar=None)
            data = SklearnDataset(csr_matrix(now.x), np.zeros(len(now.x), int), target_labels=np.arange(2))
            return asked.query(None, data, now.free, now.rows, now.labels, n=batch)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # GreedyCoreset announces its own default
            asked = BY_VECTORS[self.strategy]()
        # it numbers the unlabeled first and the labeled after them
        ordered = now.x[np.concatenate([now.free, now.rows])]
        return asked.query(None, now.x, now.free, now.rows, now.labels, n=batch, embeddings=ordered)
