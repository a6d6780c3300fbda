"""A tower's posterior on disk: safetensors, from which the same posterior comes back to the last digit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from probal.errors import UserError
from probal.posterior.curvature import Curvature
from probal.posterior.kron import Damping
from probal.posterior.laplace import TowerPosterior, fit_posterior
from probal.posterior.projection import Projection

FORMAT = "probal-posterior-1"


def save_posterior(path: Path, posterior: TowerPosterior) -> None:
    """Writes the projection, the curvature's sums and counts, and λ, τ and damping; whole or not at all."""
    path = Path(path)
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
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, partial, metadata={"format": FORMAT, "numbers": json.dumps(numbers)})
    partial.replace(path)


def load_posterior(path: Path) -> TowerPosterior:
    """Reads what :func:`save_posterior` wrote. Raises UserError for a file that is not there or not one."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}: expected a posterior saved by ProbAL")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path} is not a safetensors file: {error}") from error
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path} is not a posterior of this version: its format is {metadata.get('format')!r}, "
            f"expected {FORMAT!r}; estimate it again"
        )
    try:
        numbers = json.loads(metadata["numbers"])
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
        raise UserError(f"{path} is damaged ({error}); estimate the posterior again") from error
    return replace(loaded, counted=counted)
