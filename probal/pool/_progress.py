"""Progress reports that do not slow down what they report on."""

from __future__ import annotations

import time
from collections.abc import Callable

ProgressCallback = Callable[[int, int], None]
"""Called with (done, total)."""


class Progress:
    """Passes counts on at most every 0.1 s, and always the last one: a callback may write to a database."""

    def __init__(self, callback: ProgressCallback | None, total: int, interval: float = 0.1) -> None:
        self._callback = callback
        self._total = total
        self._interval = interval
        self._last = float("-inf")

    def report(self, done: int) -> None:
        now = time.monotonic()
        if self._callback is not None and (done >= self._total or now - self._last >= self._interval):
            self._last = now
            self._callback(done, self._total)
