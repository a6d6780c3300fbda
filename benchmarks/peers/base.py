"""What every peer shares: the classifier its users would put on frozen vectors, and how results are named.

A peer is a `probal.simulate.Learner`: `fit`, `predict_proba`, `query`. It sees what ProbAL's strategies see; the
peers that follow these tools' documentation have no use for class texts. Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np
from sklearn.linear_model import LogisticRegression

from probal.random import derive_seed
from probal.simulate import Round
from probal.simulate.code import code_digest

_HARNESS = ("probal.simulate.play", "probal.random")
"""Code that a peer's results depend on beside its own, with all that it imports: kept runs are done again when it
changes."""
REGULARIZATIONS = (1.0, 10.0, 100.0, 1000.0)
"""Settings tried of logistic regression: scikit-learn's C, its default first. Unit rows want less shrinking."""


class Classifier:
    """Logistic regression that also answers before two classes are labeled: uniform, or the one class."""

    def __init__(self, regularization: float) -> None:
        self._regularization = regularization

    def fit(self, x: np.ndarray, y: np.ndarray, classes: int) -> Classifier:
        """Vectors [n,D] with classes [n] of `classes` in all; n may be 0."""
        self.classes, self._seen = classes, np.unique(y)
        self.model = LogisticRegression(C=self._regularization, max_iter=1000)
        if len(self._seen) > 1:
            self.model.fit(x, y)
        return self

    @property
    def fitted(self) -> bool:
        """Whether two classes were labeled, so that there is a model."""
        return len(self._seen) > 1

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Probabilities [M,C]; a class that was never labeled has none once there is a label."""
        if not len(self._seen):
            return np.full((len(x), self.classes), 1 / self.classes)
        probs = np.zeros((len(x), self.classes))
        probs[:, self._seen] = self.model.predict_proba(x) if self.fitted else 1.0
        return probs


class Peer(ABC):
    """A strategy of another tool with a classifier; subclasses name their package and choose."""

    package: str
    """Whose version tells results apart."""

    def __init__(self, strategy: str, setting: float) -> None:
        self.strategy, self.setting = strategy, setting

    @property
    def name(self) -> str:
        """What its results are filed under."""
        return f"{self.package}/{self.strategy}"

    def identity(self) -> Mapping[str, str]:
        modules = [sys.modules[cls.__module__] for cls in type(self).__mro__ if issubclass(cls, Peer)]
        source = "".join(map(inspect.getsource, modules)) + code_digest(_HARNESS)
        return {
            "strategy": self.name,
            "adapter": self.classifier_name(),
            "version": version(self.package),
            "code": hashlib.sha256(source.encode()).hexdigest(),
        }

    def classifier_name(self) -> str:
        """Of what learns, with its setting."""
        return f"logistic C={self.setting:g}"

    def fit(self, now: Round) -> None:
        self.classifier = Classifier(self.setting).fit(now.x[now.rows], now.labels, len(now.prototypes))

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return self.classifier.predict_proba(x)

    def query(self, now: Round, batch: int) -> np.ndarray:
        return np.asarray(self.choose(now, min(batch, len(now.free)), self.rng(now)), np.int64)

    def rng(self, now: Round) -> np.random.RandomState:
        """Of this peer in this round; these tools take numpy's older generators."""
        asked = len(now.rows) + len(now.flagged)
        return np.random.RandomState(derive_seed(now.seed, self.package, self.strategy, asked) % 2**32)

    def at_random(self, now: Round, batch: int, rng: np.random.RandomState) -> np.ndarray:
        """The first batch of tools that ask for labels to begin with."""
        return rng.choice(now.free, batch, replace=False)

    @abstractmethod
    def choose(self, now: Round, batch: int, rng: np.random.RandomState) -> np.ndarray:
        """`batch` rows of `now.free`, each once."""
