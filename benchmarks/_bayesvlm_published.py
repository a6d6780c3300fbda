"""Exact against factored damping, and shared against independent noise, with the published factors.

The factors come without the model, so activations are drawn from their own second moment, `E aaᵀ = A / √pairs`,
and embeddings stand in for `W a`: class rows at a mean cosine of 0.75 to each other, whose differences are drawn
from B (texts that are confused with each other) or are isotropic; images at a cosine of 0.3 to one of them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from probal.acquisition import bald
from probal.gaussian import GaussianEmbedding, GaussianLogits, cosine_logits, cosine_moments
from probal.posterior import (
    Damping,
    KroneckerPrecision,
    PublishedTower,
    evidence,
    fit_prior_precision,
    load_published,
)
from probal.posterior.evidence import effective_weights
from probal.posterior.published import PAIRS

SCALE, LENGTH, NODES = 100.0, 10.0, 512


def unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(0).sqrt()


def precisions(tower: PublishedTower) -> dict[str, KroneckerPrecision]:
    """Factored as published; exact at the same λ; exact at the λ that its own evidence prefers.

    `‖W‖²` is not published: taken is the one at which the factored evidence peaks at the published λ.
    """
    factored = KroneckerPrecision.from_factors(
        tower.curvature.a, tower.curvature.b, tower.prior_precision, tower.tau, Damping.FACTORED
    )
    exact = KroneckerPrecision.from_factors(
        tower.curvature.a, tower.curvature.b, tower.prior_precision, tower.tau, Damping.EXACT
    )
    square_norm = effective_weights(factored) / tower.prior_precision
    return {
        "factored": factored,
        "exact, published λ": exact,
        "exact, its own λ": fit_prior_precision(exact, square_norm),
    }


def measure_evidence(directory: Path) -> list[dict[str, Any]]:
    """The ‖W‖² taken for each tower, and evaluations and seconds of the search for λ from 1, for both dampings."""
    published = load_published(directory)
    records: list[dict[str, Any]] = []
    for name, tower in (("image", published.image), ("text", published.text)):
        forms = precisions(tower)
        square_norm = effective_weights(forms["factored"]) / tower.prior_precision
        for form in ("factored", "exact, published λ"):
            with mock.patch.object(evidence, "effective_weights", wraps=effective_weights) as counted:
                started = time.perf_counter()
                found = fit_prior_precision(forms[form].with_prior(1.0), square_norm)
                seconds = time.perf_counter() - started
            records.append(
                {
                    "tower": name,
                    "damping": forms[form].damping.value,
                    "‖W‖²": square_norm,
                    "λ": found.prior_precision,
                    "evaluations": counted.call_count,
                    "seconds": seconds,
                }
            )
    return records


def draw_world(
    tower: PublishedTower, n: int, c: int, aligned: bool, g: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Activations [n, P], embeddings [n, D] of length 10 and class rows [c, D] of length 1."""
    p, d = len(tower.curvature.outer), len(tower.curvature.ggn)
    normal = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    activations = normal(n, p) @ root(tower.curvature.a / PAIRS**0.5).mT
    apart = normal(c, d) @ root(tower.curvature.b).mT if aligned else normal(c, d)
    classes = unit(0.75**0.5 * unit(normal(1, d)) + 0.25**0.5 * unit(apart))
    own = classes[torch.randint(c, (n,), generator=g)]
    images = LENGTH * unit(0.3 * own + (1 - 0.3**2) ** 0.5 * unit(normal(n, d)))
    return activations, images, classes


def bald_of_dense(there: KroneckerPrecision, a: Tensor, mean: Tensor, classes: Tensor) -> Tensor:
    """BALD with each image's own dense covariance over the classes: the truth of the given posterior."""
    var, rows = there.variance(a), there.rotate(classes)  # [n, D], [c, D]
    scores = []
    for i in range(len(a)):
        second = mean[i].square().sum() + var[i].sum()
        factor = SCALE * rows * (var[i] / second).sqrt()  # [c, D]
        logits = SCALE * (mean[i : i + 1] @ classes.mT) / second.sqrt()
        one = torch.ones(1, dtype=torch.float64)
        scores.append(bald(GaussianLogits(logits, torch.zeros_like(logits), one, factor), n_samples=NODES))
    return torch.cat(scores)


def compare(there: KroneckerPrecision, a: Tensor, mean: Tensor, classes: Tensor) -> dict[str, float]:
    """Each form's BALD over the truth's: ratio of the means, and rank correlation over images."""
    rows = GaussianEmbedding(classes)
    shared = GaussianEmbedding(mean, leverage=there.leverage(a), shared=there.shared)
    rotated = GaussianEmbedding(there.rotate(mean), there.variance(a))
    turned = GaussianEmbedding(there.rotate(classes))
    truth = bald_of_dense(there, a, mean, classes)
    forms = {
        "leverage and shared": cosine_logits(shared, rows, SCALE),
        "rotated variances": cosine_logits(rotated, turned, SCALE),
        "independent logits": cosine_moments(rotated, turned, SCALE),
    }
    found = {"truth": float(truth.mean())}
    for name, logits in forms.items():
        score = bald(logits, n_samples=NODES)
        found[f"{name}: ratio"] = float(score.mean() / truth.mean())
        found[f"{name}: rank"] = float(spearmanr(score, truth).statistic)
    return found


def measure_published(directory: Path, seeds: int, n: int, c: int) -> list[dict[str, Any]]:
    """One record for each tower, form and geometry: means over seeds with their standard errors."""
    published = load_published(directory)
    records: list[dict[str, Any]] = []
    for name, tower in (("image", published.image), ("text", published.text)):
        forms = precisions(tower)
        for aligned in (True, False):
            runs: dict[str, list[dict[str, float]]] = {form: [] for form in forms}
            for seed in range(seeds):
                world = draw_world(tower, n, c, aligned, torch.Generator().manual_seed(seed))
                base = forms["factored"].variance(world[0]).sum(1)
                for form, there in forms.items():
                    var = there.variance(world[0])
                    shape = (
                        there.leverage(world[0])[:, None] * (there.v.mT @ there.shared @ there.v).diagonal()
                    )
                    found = compare(there, *world)
                    found["λ"] = there.prior_precision
                    found["variance over factored"] = float((var.sum(1) / base).mean())
                    found["noise, |Δz|/|z|"] = float(var.sum(1).mean().sqrt()) / LENGTH
                    found["rms of var / (leverage · shared) − 1"] = float(
                        (var / shape - 1).square().mean().sqrt()
                    )
                    runs[form].append(found)
            for form, results in runs.items():
                mean = {key: float(np.mean([r[key] for r in results])) for key in results[0]}
                spread = {key: float(np.std([r[key] for r in results], ddof=1)) for key in results[0]}
                error = {key: value / seeds**0.5 for key, value in spread.items()}
                geometry = "from B" if aligned else "isotropic"
                records.append(
                    {"tower": name, "form": form, "classes": geometry, "mean": mean, "standard_error": error}
                )
    return records
