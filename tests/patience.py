"""How long a test waits for what must come: long enough for the slowest machine, and no test fails sooner.

No test measures speed. It waits for the cue that a person would wait for, and says what did not come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 120.0
T = TypeVar("T")


def wait_for(ask: Callable[[], T | None], what: str, pause: Callable[[float], object] = time.sleep) -> T:
    """Asks until the answer is neither None nor False; the answer.

    `pause` takes the seconds between two questions; in a browser's test a page's own wait, which lets events in.
    """
    deadline = time.monotonic() + SECONDS
    while (answer := ask()) is None or answer is False:
        assert time.monotonic() < deadline, f"no {what} after {SECONDS:.0f} s"
        pause(0.05)
    return answer
