"""Reports are rare, in order, and never miss the end."""

from __future__ import annotations

from probal.pool._progress import Progress


def test_only_the_last_of_many_quick_reports() -> None:
    calls: list[tuple[int, int]] = []
    progress = Progress(lambda *call: calls.append(call), 1000, interval=60.0)
    for done in range(1001):
        progress.report(done)
    assert calls == [(0, 1000), (1000, 1000)]


def test_slow_reports_all_arrive() -> None:
    calls: list[tuple[int, int]] = []
    progress = Progress(lambda *call: calls.append(call), 3, interval=0.0)
    for done in range(4):
        progress.report(done)
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_nobody_listens() -> None:
    Progress(None, 1).report(1)
