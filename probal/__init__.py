"""ProbAL: a folder of images, the fewest labels, a good classifier and a curated support set."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Before torch loads OpenMP: threads that wait for each other by spinning take the cores from the thread that they
# wait for. On two cores beside other work, products of matrices took 8 to 20 times as long as with sleeping ones.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from probal.session import Session

__all__ = ["Session", "__version__"]


def __getattr__(name: str) -> Any:
    # torch loads with the session, and neither the web process nor `probal --help` needs it
    if name == "Session":
        from probal.session import Session

        return Session
    raise AttributeError(f"module 'probal' has no attribute {name!r}")
