"""A tower's posterior on disk: safetensors, from which the same posterior comes back to the last digit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from probal.errors import UserError
from probal.posterior.curvature import Curvature
from probal.posterior.kron import Damping
from probal.posterior.laplace import TowerPosterior, fit_posterior
from probal.posterior.projection import Projection
from probal.tensor_file import read_tensors, write_tensors

FORMAT = "probal-posterior-1"


def save_posterior(path: Path, posterior: TowerPosterior) -> None:
    """Writes the projection, the curvature's sums and counts, and λ, τ and damping; whole or not at all."""
    tensors = {
        "weight": posterior.projection.weight,
        "outer": posterior.curvature.outer,
        "ggn": posterior.curvature.ggn,
        "counted": torch.tensor(sorted(posterior.counted), dtype=torch.int64),
    }
    if posterior.projection.bias is not None:
        tensors["bias"] = posterior.projection.bias
    if posterior.span is not None:
        tensors["span"] = posterior.span
    numbers = {
        "count": posterior.curvature.count,
        "pseudo_count": posterior.curvature.pseudo_count,
        "prior_precision": posterior.precision.prior_precision,
        "tau": posterior.precision.tau,
        "damping": posterior.precision.damping.value,
    }
    write_tensors(Path(path), tensors, FORMAT, numbers)


def load_posterior(path: Path) -> TowerPosterior:
    """Reads what :func:`save_posterior` wrote. Raises UserError for a file that is not there or not one."""
    remedy = "estimate it again"
    tensors, numbers = read_tensors(Path(path), FORMAT, "a posterior", remedy)
    try:
        projection = Projection(tensors["weight"], tensors.get("bias"))
        curvature = Curvature(
            tensors["outer"], tensors["ggn"], float(numbers["count"]), float(numbers["pseudo_count"])
        )
        loaded = fit_posterior(
            projection,
            curvature,
            Damping(numbers["damping"]),
            float(numbers["tau"]),
            float(numbers["prior_precision"]),
            tensors.get("span"),
        )
        counted = frozenset(tensors["counted"].tolist())
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); {remedy}") from error
    return replace(loaded, counted=counted)
