"""Few-shot adapters behind one interface; `load_adapter` is the registry."""

from __future__ import annotations

from collections.abc import Callable

from probal.adapters.base import Adapter, AdapterPosterior, fingerprint
from probal.adapters.bayes_adapter import BayesAdapter, LaplacePosterior
from probal.adapters.clap import Clap
from probal.adapters.linear_probe import LinearProbe
from probal.adapters.tip_adapter import TipAdapter
from probal.adapters.variational import VariationalAdapter, VariationalPosterior
from probal.adapters.zero_shot import ZeroShot
from probal.errors import UserError

ADAPTERS: dict[str, Callable[[float], Adapter]] = {
    "bayes": lambda scale: BayesAdapter(scale),
    "bayes-clap": lambda scale: BayesAdapter(scale, class_multipliers=True),
    "bayes-vi": lambda scale: VariationalAdapter(scale),
    "clap": lambda scale: Clap(scale),
    "tip": lambda scale: TipAdapter(scale),
    "linear": lambda scale: LinearProbe(scale),
    "zero-shot": lambda scale: ZeroShot(scale),
}
"""Adapter ids; each is made from the encoder's logit scale."""


def load_adapter(adapter_id: str, scale: float) -> Adapter:
    """The adapter of that id; UserError naming the known ones."""
    if adapter_id not in ADAPTERS:
        raise UserError(f"unknown adapter '{adapter_id}'; known adapters: {', '.join(sorted(ADAPTERS))}")
    return ADAPTERS[adapter_id](scale)


__all__ = [
    "ADAPTERS",
    "Adapter",
    "AdapterPosterior",
    "BayesAdapter",
    "Clap",
    "LaplacePosterior",
    "LinearProbe",
    "TipAdapter",
    "VariationalAdapter",
    "VariationalPosterior",
    "ZeroShot",
    "fingerprint",
    "load_adapter",
]
