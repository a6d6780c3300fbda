"""Probabilistic zero-shot of the embedded encoder, label-free posterior, against plain and constant leverage.

W is the identity, activations are the centred features. Curvature comes from pool images against the class prompts;
temperatures are fitted on labels of the validation split; everything else on the test split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probal.evaluation import accuracy, auroc, ece, nll
from probal.gaussian import GaussianEmbedding, GaussianLogits, cosine_logits
from probal.posterior import (
    Damping,
    InfoNCE,
    Projection,
    TowerPosterior,
    constant_leverage,
    fit_posterior,
    fit_temperature,
    measure_label_free,
    span_of,
    tempered,
)

SCALE = 15.0
PSEUDO_COUNTS = (10.0, 100.0, 1000.0, 10_000.0)
NOISE = tuple(10.0**k for k in np.arange(-4.0, 0.6, 0.5))
"""Grid for λ chosen by labels, as the prior's noise over signal `D / λ`."""
RESAMPLES = 1000
Record = dict[str, Any]


@dataclass(frozen=True)
class Set:
    """Activations [N, D] and labels [N] with the class rows [C, D] that they are scored against."""

    activations: Tensor
    labels: Tensor
    classes: GaussianEmbedding


def sets_of(vectors: Mapping[str, np.ndarray]) -> dict[str, Set]:
    """Features less the pool's mean; digits have class rows of their own."""
    centre = vectors["pool_x"].mean(0)
    rows = {
        name: GaussianEmbedding(torch.nn.functional.normalize(torch.from_numpy(vectors[f"{name}_t"])))
        for name in ("clothing", "digits")
    }
    return {
        name: Set(
            torch.from_numpy(vectors[f"{name}_x"] - centre),
            torch.from_numpy(vectors[f"{name}_y"]).long(),
            rows["digits" if name in ("digits", "inverted") else "clothing"],
        )
        for name in (key[:-2] for key in vectors if key.endswith("_x"))
    }


def measures(probs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    wrong = probs.argmax(1) != labels
    return {
        "accuracy": accuracy(probs, labels),
        "nll": nll(probs, labels),
        "ece": ece(probs, labels),
        "error_auroc": auroc(-probs.max(1), wrong),
    }


def with_interval(probs: np.ndarray, reference: np.ndarray, labels: np.ndarray, seed: int) -> Record:
    """Measures, and 95 % bootstrap intervals over images of their difference to the reference's."""
    here, there = measures(probs, labels), measures(reference, labels)
    g = np.random.default_rng(seed)
    differences: dict[str, list[float]] = {key: [] for key in here}
    for _ in range(RESAMPLES):
        rows = g.integers(len(labels), size=len(labels))
        a, b = measures(probs[rows], labels[rows]), measures(reference[rows], labels[rows])
        for key in here:
            differences[key].append(a[key] - b[key])
    record: Record = dict(here)
    for key, values in differences.items():
        low, high = np.nanquantile(values, (0.025, 0.975))
        record[f"{key}_difference"] = {
            "value": here[key] - there[key],
            "low": float(low),
            "high": float(high),
        }
    return record


def label_free(pool: Set, count: float, damping: Damping, all_directions: bool = False) -> TowerPosterior:
    """From the pool's images against its class prompts; uncertain in the span of the class rows, or everywhere."""
    projection = Projection.identity(pool.activations.shape[1])
    rows = pool.classes.mean
    curvature = measure_label_free(projection, pool.activations, rows, InfoNCE(SCALE), count)
    return fit_posterior(projection, curvature, damping, span=None if all_directions else span_of(rows))


@dataclass(frozen=True)
class Model:
    """A posterior (none: plain logits), whether every image gets the mean leverage, and a temperature."""

    name: str
    posterior: TowerPosterior | None
    constant: bool = False
    temperature: float = 1.0

    def logits(self, rows: Set) -> GaussianLogits:
        images = GaussianEmbedding(rows.activations)
        if self.posterior is not None:
            images = self.posterior.embed(rows.activations)
            images = constant_leverage(images) if self.constant else images
        return tempered(cosine_logits(images, rows.classes, SCALE), self.temperature)

    def probs(self, rows: Set) -> np.ndarray:
        return self.logits(rows).predictive().numpy()

    def with_temperature(self, fit: Set) -> Model:
        """At the temperature that is likeliest on labels."""
        return replace(self, temperature=fit_temperature(self.logits(fit), fit.labels))

    def with_prior(self, fit: Set) -> Model:
        """At the λ and the temperature that together are likeliest on labels."""
        assert self.posterior is not None
        width, candidates = self.posterior.projection.width, []
        for noise in NOISE:
            precision = self.posterior.precision.with_prior(width / noise)
            moved = replace(self, posterior=replace(self.posterior, precision=precision))
            candidates.append(moved.with_temperature(fit))
        best = min(candidates, key=lambda each: nll(each.probs(fit), fit.labels.numpy()))
        return replace(best, name=f"{self.name}, λ by labels")


def models_of(pool: Set, fit: Set) -> list[Model]:
    """Plain first; λ by the evidence, then by labels; every posterior beside itself with a constant leverage."""
    plain = Model("plain", None)
    found = [plain, plain.with_temperature(fit)]
    for count in PSEUDO_COUNTS:
        for damping in Damping:
            own = Model(f"{damping.value}, class span, {count:g}", label_free(pool, count, damping))
            constant = replace(own, name=f"{own.name}, constant leverage", constant=True)
            found += [own, own.with_temperature(fit), constant.with_temperature(fit)]
    most = PSEUDO_COUNTS[-1]
    own = Model(f"exact, class span, {most:g}", label_free(pool, most, Damping.EXACT))
    found += [own.with_prior(fit), replace(own, constant=True, name=f"{own.name}, constant").with_prior(fit)]
    for damping in Damping:
        own = Model(f"{damping.value}, all directions, {most:g}", label_free(pool, most, damping, True))
        found += [own, own.with_temperature(fit)]
    return found


def zero_shot(sets: Mapping[str, Set], seed: int) -> list[Record]:
    """Every model on the clean test split; temperatures and λ by labels are of the validation split."""
    test = sets["clean"]
    labels = test.labels.numpy()
    models = models_of(sets["pool"], sets["fit"])
    reference = models[1].probs(test)
    records: list[Record] = []
    for model in models:
        record: Record = {"model": model.name, "temperature": model.temperature}
        record |= with_interval(model.probs(test), reference, labels, seed)
        if model.posterior is not None:
            record["λ"] = model.posterior.precision.prior_precision
            images = model.posterior.embed(test.activations)
            noise = images.variance().sum(1) / images.mean.square().sum(1)
            record["noise_over_signal"] = float(noise.mean())
        records.append(record)
    return records
