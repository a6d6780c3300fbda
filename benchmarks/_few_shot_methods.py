"""The methods of the few-shot benchmark: labels in, test probabilities out. Nothing sees a test label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from _few_shot_data import ENCODER_SCALE, Draw
from _recipe import fit_recipe
from torch import Tensor

from probal.adapters import Adapter, BayesAdapter, Clap, load_adapter
from probal.gaussian import GaussianEmbedding
from probal.random import torch_generator

FOLDS, FOLDS_OF_MANY, MANY = 4, 2, 500
"""Of many labels two folds tell as much, and fits of them take seconds."""
SCALES = tuple(ENCODER_SCALE * 2.0**k for k in range(-5, 2))
NODES = 64


def adapt(adapter: Adapter, draw: Draw) -> Callable[[], Tensor]:
    """Fit; what comes back predicts [Nt,C], so that the two are timed apart."""
    posterior = adapter.fit(draw.x, draw.y, GaussianEmbedding(draw.prototypes))
    return lambda: posterior.logits(draw.test_x).predictive("qmc", NODES)


def by_id(adapter_id: str, draw: Draw, seed: int) -> Callable[[], Tensor]:
    """A registered adapter, with the scale that the app would hand it."""
    return adapt(load_adapter(adapter_id, draw.scale), draw)


def clap(draw: Draw, seed: int) -> Callable[[], Tensor]:
    """CLAP's optimum at the encoder's own scale."""
    return adapt(Clap(ENCODER_SCALE), draw)


def clap_fitted(draw: Draw, seed: int) -> Callable[[], Tensor]:
    """CLAP at the scale with the largest likelihood of labels left out of the fit, a quarter or half at a time."""
    return adapt(Clap(fitted_scale(draw, seed)), draw)


def fitted_scale(draw: Draw, seed: int) -> float:
    """By cross-validation on the support set. Where nothing could be predicted, the encoder's own.

    Without class texts a class's only label cannot be predicted from the others; folds take the labels of each
    class in turn, so with two or more every fold can.
    """
    counts = torch.bincount(draw.y)
    if not bool(draw.prototypes.any()) and int(counts.max()) < 2:
        return ENCODER_SCALE
    order = np.random.default_rng(seed).permutation(len(draw.y))
    turn = np.empty(len(order), np.int64)
    turn[order[np.argsort(draw.y.numpy()[order], kind="stable")]] = np.arange(len(order))
    folds = FOLDS if len(draw.y) <= MANY else FOLDS_OF_MANY
    fold = torch.from_numpy(turn % folds)
    prior = GaussianEmbedding(draw.prototypes)

    def likelihood(scale: float) -> float:
        total = 0.0
        for k in range(folds):
            out = fold == k
            if bool(out.all()) or not bool(out.any()):
                continue
            mean = Clap(scale).fit(draw.x[~out], draw.y[~out], prior).logits(draw.x[out]).mean
            total -= float(torch.nn.functional.cross_entropy(mean, draw.y[out], reduction="sum"))
        return total

    return climb(likelihood, SCALES.index(ENCODER_SCALE))


def climb(likelihood: Callable[[float], float], at: int) -> float:
    """The first best of SCALES on the way down from `at`, or up where down is worse: fits cost seconds."""
    value = {at: likelihood(SCALES[at])}
    for step in (-1, 1):
        here = at
        while 0 <= here + step < len(SCALES):
            value[here + step] = likelihood(SCALES[here + step])
            if value[here + step] <= value[here]:
                break
            here += step
        if here != at:
            return SCALES[here]
    return SCALES[at]


def uncentred(draw: Draw, seed: int) -> Callable[[], Tensor]:
    """BayesAdapter in the paper's own form: what the labels add acts on images, not on images less their mean."""
    return adapt(BayesAdapter(draw.scale, centre=False), draw)


def recipe(draw: Draw, seed: int) -> Callable[[], Tensor]:
    """The BayesAdapter paper's own."""
    generator = torch_generator("recipe", seed)
    posterior = fit_recipe(draw.x, draw.y, draw.prototypes, ENCODER_SCALE, generator)
    return lambda: posterior.predictive(draw.test_x, generator)


METHODS: dict[str, Callable[[Draw, int], Callable[[], Tensor]]] = {
    "zero-shot": lambda draw, seed: by_id("zero-shot", draw, seed),
    "linear": lambda draw, seed: by_id("linear", draw, seed),
    "tip": lambda draw, seed: by_id("tip", draw, seed),
    "clap": clap,
    "clap-fitted": clap_fitted,
    "recipe": recipe,
    "bayes": lambda draw, seed: by_id("bayes", draw, seed),
    "bayes-vi": lambda draw, seed: by_id("bayes-vi", draw, seed),
    "bayes-clap": lambda draw, seed: by_id("bayes-clap", draw, seed),
    "bayes-uncentred": uncentred,
}
NAMES = {
    "zero-shot": "zero-shot",
    "linear": "linear probe",
    "tip": "Tip-Adapter",
    "clap": "CLAP, encoder's scale",
    "clap-fitted": "CLAP, fitted scale",
    "recipe": "BayesAdapter, the paper's recipe",
    "bayes": "BayesAdapter, Laplace",
    "bayes-vi": "BayesAdapter, variational",
    "bayes-clap": "BayesAdapter, CLAP's λ",
    "bayes-uncentred": "BayesAdapter, no centre",
}
