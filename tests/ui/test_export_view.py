from __future__ import annotations

import pytest

from probal.ui import export_view


def test_the_bar_is_drawn_once_a_percent_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    class Bar:
        def progress(self, value: int, text: str) -> None:
            assert 0 <= value <= 100
            drawn.append(text)

        def empty(self) -> None:
            drawn.append("gone")

    monkeypatch.setattr(export_view.st, "progress", lambda value, text: Bar())
    with export_view.progress_bar("Writing") as progress:
        for i in range(10_001):
            progress(i, 10_000)
        progress(0, 0)  # nothing to write yet
    assert len(drawn) == 101 + 1 + 1
    assert drawn[100] == "Writing: 10,000 of 10,000"
    assert drawn[-1] == "gone"
    with pytest.raises(ValueError, match="full"), export_view.progress_bar("Writing"):
        raise ValueError("the disk is full")
    assert drawn[-1] == "gone"
