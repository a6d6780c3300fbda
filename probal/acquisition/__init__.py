"""Acquisition functions and the strategies built from them; `STRATEGIES` is the registry."""

from __future__ import annotations

import torch

from probal.acquisition.auto import auto
from probal.acquisition.base import AcquisitionState, Choice, Pick, Strategy, ask
from probal.acquisition.batch import margin_cluster, margin_density, top_bald, top_entropy, top_margin
from probal.acquisition.cold_start import random, typiclust
from probal.acquisition.scores import bald, entropy, expected_entropy, margin, uncertainty
from probal.errors import UserError

STRATEGIES: dict[str, Strategy] = {
    "auto": auto,
    "random": random,
    "typiclust": typiclust,
    "margin-cluster": margin_cluster,
    "margin-density": margin_density,
    "margin": top_margin,
    "entropy": top_entropy,
    "bald": top_bald,
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
    "bald",
    "entropy",
    "expected_entropy",
    "find_strategy",
    "margin",
    "propose",
    "uncertainty",
]
