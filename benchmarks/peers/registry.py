"""Every peer by name, and the settings that each is tried at. Packages are imported only when their peer is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from benchmarks.peers.base import REGULARIZATIONS, Peer
from probal.errors import UserError

_PEERS: dict[str, tuple[str, str, tuple[float, ...], bool]] = {
    "scikit-activeml": ("scikit_activeml", "ScikitActiveml", REGULARIZATIONS, False),
    "modal": ("modal", "ModAl", REGULARIZATIONS, False),
    "small-text": ("small_text", "SmallText", REGULARIZATIONS, False),
    "baal": ("baal_heuristics", "Baal", (0.2, 0.5), False),
    "bayesvlm": ("bayesvlm_recipe", "BayesVlmRecipe", (100.0, 10_000.0), True),
}
"""Tool -> module, class, settings tried, whether it needs class texts."""
TOOLS = tuple(_PEERS)


@dataclass(frozen=True)
class MakePeer:
    """Makes one peer; small enough to send to another process."""

    tool: str
    strategy: str
    setting: float

    @property
    def name(self) -> str:
        return self().name

    @property
    def needs_text(self) -> bool:
        return _PEERS[self.tool][3]

    def __call__(self) -> Peer:
        module, cls, *_ = _PEERS[self.tool]
        make: Callable[[str, float], Peer] = getattr(import_module(f"benchmarks.peers.{module}"), cls)
        return make(self.strategy, self.setting)


def peers_of(tool: str, settings: Sequence[float] | None = None) -> list[MakePeer]:
    """All strategies of a tool at its own settings, or at these; UserError where it is unknown or not installed."""
    if tool not in _PEERS:
        raise UserError(f"unknown tool '{tool}'; known tools: {', '.join(_PEERS)}")
    module, _, usual, _ = _PEERS[tool]
    try:
        strategies = import_module(f"benchmarks.peers.{module}").STRATEGIES
    except ImportError as error:
        raise UserError(
            f"{tool} is not there ({error}); install benchmarks/peers/requirements.txt"
        ) from error
    return [MakePeer(tool, strategy, setting) for strategy in strategies for setting in settings or usual]
