"""ProbAL: a folder of images, the fewest labels, a good classifier and a curated support set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from probal.session import Session

__all__ = ["Session", "__version__"]


def __getattr__(name: str) -> Any:
    # torch loads with the session, and neither the web process nor `probal --help` needs it
    if name == "Session":
        from probal.session import Session

        return Session
    raise AttributeError(f"module 'probal' has no attribute {name!r}")
