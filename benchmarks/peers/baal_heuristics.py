"""baal: its heuristics on Monte Carlo samples of a model, here dropout before a linear layer, its usual way.

baal imports torchvision, whose PyPI wheel needs operators of a CUDA build: they are declared first, as for encoders.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from benchmarks.peers.base import Peer
from probal.encoders._torchvision import make_torchvision_importable
from probal.simulate import Round

make_torchvision_importable()

from baal.active import heuristics  # noqa: E402
from baal.bayesian.dropout import MCDropoutModule  # noqa: E402

STRATEGIES = ("bald", "entropy", "margin", "certainty", "variance")
SAMPLES, STEPS, RATE, DECAY = 20, 300, 0.05, 1e-4
"""Draws per image (baal's usual number), and full-batch Adam; vectors are scaled to unit variance per coordinate."""


class Baal(Peer):
    package = "baal"

    def classifier_name(self) -> str:
        return f"dropout {self.setting:g}"

    def fit(self, now: Round) -> None:
        self._scaler = StandardScaler().fit(now.x)
        self._classes, self._labeled = len(now.prototypes), len(now.rows)
        generator = self.rng(now)
        torch.manual_seed(int(generator.randint(2**31)))  # dropout layers have no generator of their own
        network = nn.Sequential(nn.Dropout(self.setting), nn.Linear(now.x.shape[1], self._classes))
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=DECAY)
        x, y = self._scaled(now.x)[now.rows], torch.from_numpy(now.labels)
        for _ in range(STEPS if self._labeled else 0):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()
        self._network = MCDropoutModule(network.eval())

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        if not self._labeled:
            return np.full((len(x), self._classes), 1 / self._classes)
        return self._draws(x).mean(2).astype(np.float64)

    def choose(self, now: Round, batch: int, rng: np.random.RandomState) -> np.ndarray:
        if not self._labeled:
            return self.at_random(now, batch, rng)
        heuristic = getattr(heuristics, {"bald": "BALD"}.get(self.strategy, self.strategy.capitalize()))()
        return now.free[heuristic(self._draws(now.x[now.free]))[:batch]]

    @torch.no_grad()
    def _draws(self, x: np.ndarray) -> np.ndarray:
        """Probabilities [M,C,K] of K dropout masks."""
        scaled = self._scaled(x)
        return torch.stack([self._network(scaled).softmax(1) for _ in range(SAMPLES)], 2).numpy()

    def _scaled(self, x: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._scaler.transform(x).astype(np.float32))
