"""How long a test waits for what must come: long enough for the slowest machine, and no test fails sooner.

No test measures speed. It waits for the cue that a person would wait for, and says what did not come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 120.0
"""For what a page, a server or a process of its own must show,"""
WORK_SECONDS = 600.0
"""and for what the engine must compute first: vectors of a pool, a fit, the next batch."""
T = TypeVar("T")


def wait_for(ask: Callable[[], T | None], what: str, seconds: float = SECONDS) -> T:
    """Asks until the answer is neither None nor False; the answer."""
    deadline = time.monotonic() + seconds
    while (answer := ask()) is None or answer is False:
        assert time.monotonic() < deadline, f"no {what} after {seconds:.0f} s"
        time.sleep(0.05)
    return answer
