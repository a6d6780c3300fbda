"""A map over threads: in order, bounded, and gone when its reader is."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from probal.pool._threads import ordered_map
from tests.patience import SECONDS, wait_for


def test_results_keep_their_order() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return -item

    with ThreadPoolExecutor(4) as pool:
        assert list(ordered_map(pool, slow_first, range(20), window=5)) == [-item for item in range(20)]
        assert list(ordered_map(pool, slow_first, [], window=5)) == []


def test_does_not_run_ahead_of_its_reader() -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        results = ordered_map(pool, begun.append, range(100), window=6)
        next(results)
        wait_for(lambda: len(begun) >= 6, "full window")
        time.sleep(0.05)  # one that runs ahead would by now
        assert len(begun) == 6
        results.close()


def test_closing_cancels_what_has_not_begun() -> None:
    begun: list[int] = []
    release = threading.Event()

    def wait(item: int) -> None:
        begun.append(item)
        if item:
            release.wait(SECONDS)

    with ThreadPoolExecutor(1) as pool:
        results = ordered_map(pool, wait, range(100), window=50)
        next(results)
        results.close()
        release.set()
    assert len(begun) <= 2


def test_a_failure_comes_at_its_place() -> None:
    def fails_at_two(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    with ThreadPoolExecutor(2) as pool:
        results = ordered_map(pool, fails_at_two, range(5), window=4)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(ValueError, match="two"):
            next(results)
