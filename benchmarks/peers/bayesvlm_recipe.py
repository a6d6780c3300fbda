"""The recipe of BayesVLM (arXiv 2412.06014) written again: Laplace posterior of the image projection, BALD or EPIG.

The curvature is label-free (the pool against the class prompts, W the identity on the vectors), as nothing else is
at hand for vectors from a file; factored damping and λ by evidence as published; diagonal cosine moments for BALD.
Labels are added to the posterior once a round, where the paper's greedy EPIG adds each pick. EPIG's draws share θ,
which the authors' code does not do. What classifies is a linear adapter around the class texts, the MAP that CLAP
aims at. It needs class texts, so it runs where there are some.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from benchmarks.peers.base import Peer
from probal.acquisition import bald, epig
from probal.adapters import AdapterPosterior, load_adapter
from probal.gaussian import GaussianEmbedding, cosine_moments
from probal.posterior import Damping, InfoNCE, Projection, TowerPosterior, fit_posterior, measure_label_free
from probal.simulate import Round
from probal.simulate.code import code_digest

STRATEGIES = ("bald", "epig")
SHORTLIST, TARGETS, SAMPLES = 400, 200, 100
"""Of EPIG: images scored (highest BALD, which bounds it from above), images asked about, draws of θ."""


class BayesVlmRecipe(Peer):
    package = "probal"
    _posterior: TowerPosterior | None = None
    _adapter: AdapterPosterior

    def __init__(self, strategy: str, setting: float) -> None:
        super().__init__(f"bayesvlm-{strategy}", setting)
        self._score = strategy

    def identity(self) -> Mapping[str, str]:
        own = (
            "probal.posterior",
            "probal.adapters.clap",
            "probal.acquisition.epig",
            "probal.acquisition.scores",
        )
        found = super().identity()
        return {**found, "code": found["code"] + code_digest(own)}

    def classifier_name(self) -> str:
        return f"MAP, pseudo-count {self.setting:g}"

    def fit(self, now: Round) -> None:
        x, rows, text = torch.tensor(now.x), torch.from_numpy(now.rows), torch.from_numpy(now.prototypes)
        likelihood = InfoNCE(now.scale)
        if self._posterior is None:
            projection = Projection.identity(now.x.shape[1])
            curvature = measure_label_free(projection, x, text, likelihood, self.setting)
            self._posterior = fit_posterior(projection, curvature, Damping.FACTORED)
        if len(rows):
            self._posterior = self._posterior.update(rows, x[rows], text, likelihood)
        self._adapter = load_adapter("clap", now.scale).fit(
            x[rows], torch.from_numpy(now.labels), GaussianEmbedding(text)
        )

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return self._adapter.logits(torch.tensor(x)).predictive().double().numpy()

    def choose(self, now: Round, batch: int, rng: np.random.RandomState) -> np.ndarray:
        assert self._posterior is not None
        text = GaussianEmbedding(torch.from_numpy(now.prototypes))
        images = self._posterior.embed(torch.from_numpy(now.x[now.free]))
        doubt = bald(cosine_moments(images, text, now.scale))
        if self._score == "bald":
            return now.free[doubt.topk(batch).indices.numpy()]
        rows = now.free[doubt.topk(min(max(SHORTLIST, batch), len(doubt))).indices.numpy()]
        about = rng.choice(len(now.x), min(TARGETS, len(now.x)), replace=False)
        generator = torch.Generator().manual_seed(int(rng.randint(2**31)))
        both = torch.from_numpy(now.x[np.concatenate([rows, about])])
        z = self._posterior.sample(both, SAMPLES, generator).to(text.mean.dtype)  # [m+T,K,D]
        probs = (now.scale * torch.nn.functional.normalize(z, dim=2) @ text.mean.T).softmax(2)
        gain = epig(probs[: len(rows)], probs[len(rows) :])
        return rows[gain.topk(batch).indices.numpy()]
