"""Acquisition functions and the strategies built from them; `STRATEGIES` is the registry."""

from __future__ import annotations

import torch

from probal.acquisition.auto import auto
from probal.acquisition.badge import badge
from probal.acquisition.balanced import balanced_bald, balanced_entropy, balanced_margin
from probal.acquisition.base import AcquisitionState, Choice, Pick, Strategy, Target, ask
from probal.acquisition.batch import (
    margin_cluster,
    margin_density,
    top_bald,
    top_confidence,
    top_entropy,
    top_expected_entropy,
    top_margin,
    top_probvlm,
)
from probal.acquisition.batchbald import batchbald
from probal.acquisition.cold_start import random, typiclust
from probal.acquisition.controlled import bald_controlled
from probal.acquisition.epig import epig, top_epig
from probal.acquisition.herding import herding
from probal.acquisition.k_center import k_center
from probal.acquisition.probcover import probcover
from probal.acquisition.scores import (
    bald,
    bald_second_order,
    entropy,
    expected_entropy,
    margin,
    uncertainty,
)
from probal.acquisition.stochastic import power_bald, power_entropy, power_margin, softmax_bald
from probal.errors import UserError

STRATEGIES: dict[str, Strategy] = {
    "auto": auto,
    "random": random,
    "typiclust": typiclust,
    "herding": herding,
    "margin-cluster": margin_cluster,
    "margin-density": margin_density,
    "margin": top_margin,
    "entropy": top_entropy,
    "expected-entropy": top_expected_entropy,
    "least-confidence": top_confidence,
    "bald": top_bald,
    "epig": top_epig,
    "batchbald": batchbald,
    "badge": badge,
    "k-center": k_center,
    "probcover": probcover,
    "power-margin": power_margin,
    "power-entropy": power_entropy,
    "power-bald": power_bald,
    "softmax-bald": softmax_bald,
    "balanced-margin": balanced_margin,
    "balanced-entropy": balanced_entropy,
    "balanced-bald": balanced_bald,
    "probvlm": top_probvlm,
}


def find_strategy(strategy: str) -> Strategy:
    """The strategy of that id; UserError naming the known ones."""
    if strategy not in STRATEGIES:
        raise UserError(f"unknown strategy '{strategy}'; known strategies: {', '.join(STRATEGIES)}")
    return STRATEGIES[strategy]


def propose(strategy: str, state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Pick]:
    """At most `batch` rows of the pool, best first, each with its reason; see `base.ask`."""
    return ask(find_strategy(strategy), state, batch, generator)


__all__ = [
    "STRATEGIES",
    "AcquisitionState",
    "Choice",
    "Pick",
    "Strategy",
    "Target",
    "bald",
    "bald_controlled",
    "bald_second_order",
    "entropy",
    "epig",
    "expected_entropy",
    "find_strategy",
    "margin",
    "propose",
    "uncertainty",
]
