"""Factors that BayesVLM's authors publish: one directory for a model, both towers in it.

    A_img_analytic.pt [P, P]   B_img_analytic.pt [D, D]   A_txt_analytic.pt   B_txt_analytic.pt
    prior_precision_analytic.json   lambda_img, n_img (τ), lambda_txt, n_txt

Source: github.com/AaltoML/BayesVLM, `hessians/`. The projection's weights are not among them: they are the model's.
"""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probal.errors import UserError
from probal.posterior.curvature import Curvature
from probal.posterior.kron import Damping, psd_eigen
from probal.posterior.laplace import TowerPosterior, fit_posterior
from probal.posterior.projection import Projection

PAIRS = 327_680
"""Image–caption pairs behind the published factors: the default of the authors' estimation script."""
_JSON = "prior_precision_analytic.json"


@dataclass(frozen=True, eq=False)
class PublishedTower:
    """One tower's factors with the λ and τ that came along."""

    curvature: Curvature
    prior_precision: float
    """λ for factored damping, from an evidence whose determinant had its exponents swapped and no ½."""
    tau: float

    def posterior(
        self, projection: Projection, damping: Damping = Damping.EXACT, published_prior: bool = False
    ) -> TowerPosterior:
        """The posterior of the model's own projection, λ by the evidence or as published.

        Raises UserError where the projection's widths are not the factors', bias included.
        """
        expected = (len(self.curvature.outer), len(self.curvature.ggn))
        if (projection.columns, projection.width) != expected:
            raise UserError(
                f"the published factors are for activations of {expected[0]} and embeddings of {expected[1]}, "
                f"the model's projection has {projection.columns} (bias included) and {projection.width}: "
                "take the directory of this very model"
            )
        prior = self.prior_precision if published_prior else None
        return fit_posterior(projection, self.curvature, damping, self.tau, prior)


@dataclass(frozen=True, eq=False)
class Published:
    """Both towers of a published directory."""

    image: PublishedTower
    text: PublishedTower


def load_published(directory: Path, pairs: int = PAIRS) -> Published:
    """Reads a published directory onto the CPU; only tensors are unpickled, no code.

    `pairs` is the number of image–caption pairs behind the factors, which the files do not say; an online
    update weighs labels against it. Raises UserError for a missing or unreadable file, factors that are not
    square, finite, symmetric and positive semi-definite, towers of unequal D, and numbers that are not positive.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"there is no folder {directory}: give the folder that holds {_JSON}")
    if pairs < 1:
        raise UserError(f"the number of pairs behind the factors must be at least 1, got {pairs}")
    numbers = _read_json(directory / _JSON)
    towers = []
    for tag in ("img", "txt"):
        a, b = (_read_factor(directory / f"{letter}_{tag}_analytic.pt") for letter in "AB")
        prior, tau = (_positive(numbers, f"{name}_{tag}", directory / _JSON) for name in ("lambda", "n"))
        towers.append(PublishedTower(Curvature.from_factors(a, b, pairs), prior, tau))
    image, text = towers
    widths = len(image.curvature.ggn), len(text.curvature.ggn)
    if widths[0] != widths[1]:
        raise UserError(
            f"{directory}: B_img is {widths[0]} wide and B_txt {widths[1]}, expected one width of both towers; "
            "the files are of different models"
        )
    return Published(image, text)


def _read_factor(path: Path) -> Tensor:
    if not path.is_file():
        raise UserError(f"there is no {path}: a published posterior has A and B of both towers")
    try:
        # the files were saved on a GPU, and a .pt file of anything but tensors could run code
        factor = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a file of one tensor: {str(error).splitlines()[0]}") from error
    if not isinstance(factor, Tensor) or not factor.is_floating_point():
        raise UserError(
            f"{path} holds {type(factor).__name__}, expected one tensor of floating point numbers"
        )
    try:
        psd_eigen(factor, str(path))
    except ValueError as error:
        raise UserError(f"{error}; the file is damaged or not a curvature factor") from error
    return factor


def _read_json(path: Path) -> dict[str, Any]:
    try:
        numbers = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no {path}: it holds lambda_img, n_img, lambda_txt and n_txt") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(numbers, dict):
        raise UserError(f"{path} must hold an object with lambda_img, n_img, lambda_txt and n_txt")
    return numbers


def _positive(numbers: dict[str, Any], name: str, path: Path) -> float:
    value = numbers.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise UserError(f"{path}: {name} must be a positive number, got {value!r}")
    return float(value)
