"""scikit-activeml: its strategies with its wrapper around logistic regression, as its documentation shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import (
    Badge,
    Clue,
    CoreSet,
    DropQuery,
    Falcun,
    ProbCover,
    RandomSampling,
    TypiClust,
    UncertaintySampling,
)
from sklearn.linear_model import LogisticRegression

from benchmarks.peers.base import Peer
from probal.simulate import Round


def _seeded(settings: dict[str, Any]) -> dict[str, Any]:
    """k-means from the strategy's own generator: it is left unseeded otherwise, and no run repeats."""
    return {"random_state": int(settings["random_state"].randint(2**31))}


BY_VECTORS: dict[str, Callable[..., Any]] = {
    "random": lambda classes, **more: RandomSampling(**more),
    "coreset": lambda classes, **more: CoreSet(**more),
    "typiclust": lambda classes, **more: TypiClust(**more),
    "probcover": lambda classes, **more: ProbCover(n_classes=classes, **more),
}
BY_CLASSIFIER: dict[str, Callable[..., Any]] = {
    "margin": lambda **more: UncertaintySampling(method="margin_sampling", **more),
    "entropy": lambda **more: UncertaintySampling(method="entropy", **more),
    "least-confident": lambda **more: UncertaintySampling(method="least_confident", **more),
    "badge": lambda **more: Badge(**more),
    "falcun": lambda **more: Falcun(**more),
    "clue": lambda **more: Clue(cluster_algo_dict=_seeded(more), **more),
    "dropquery": lambda **more: DropQuery(cluster_algo_dict=_seeded(more), **more),
}
STRATEGIES = (*BY_VECTORS, *BY_CLASSIFIER)


class ScikitActiveml(Peer):
    package = "scikit-activeml"

    def fit(self, now: Round) -> None:
        self._y = np.full(len(now.x), np.nan)
        self._y[now.rows] = now.labels
        self._classifier = SklearnClassifier(
            LogisticRegression(C=self.setting, max_iter=1000),
            classes=np.arange(len(now.prototypes)),
            random_state=0,
        )
        self._classifier.fit(now.x, self._y)

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return self._classifier.predict_proba(x)

    def choose(self, now: Round, batch: int, rng: np.random.RandomState) -> np.ndarray:
        if self.strategy in BY_VECTORS:
            asked = BY_VECTORS[self.strategy](len(now.prototypes), random_state=rng)
            return asked.query(now.x, self._y, candidates=now.free, batch_size=batch)
        # these read the classifier, which knows nothing before two classes are labeled
        if len(np.unique(now.labels)) < 2:
            return self.at_random(now, batch, rng)
        asked = BY_CLASSIFIER[self.strategy](random_state=rng)
        return asked.query(now.x, self._y, self._classifier, False, candidates=now.free, batch_size=batch)
