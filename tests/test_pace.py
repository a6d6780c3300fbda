"""Seconds for an image by way of answering."""

from __future__ import annotations

from datetime import UTC, datetime

from probal.kinds import EventKind
from probal.pace import Mode, by_mode, sentence
from probal.types import Event, StoredEvent


def given(
    seq: int, ms: int | None, kind: EventKind = EventKind.LABEL, who: str = "ada", active: bool = True
) -> StoredEvent:
    event = Event(f"{who}{seq}{ms}{kind}{active}", kind, who, seq=seq, duration_ms=ms)
    return StoredEvent(seq, event, datetime.now(UTC), active)


def test_each_way_of_answering_has_its_median() -> None:
    one_by_one = [given(i, 1000 * i) for i in (1, 2, 9)]
    confirmed = [given(i, 500, EventKind.CONFIRM) for i in (10, 11)]
    page = [given(12, 200, EventKind.CONFIRM) for _ in range(20)] + [given(12, 200)]
    found = by_mode([*one_by_one, *confirmed, *page])
    assert found == {"choose": Mode(2.0, 3), "confirm": Mode(0.5, 2), "grid": Mode(0.2, 21)}
    assert list(found) == ["choose", "confirm", "grid"]
    assert sentence(found) == (
        "The middle image takes 2.0 s to choose a class (3 images), 0.5 s to confirm one (2 images), "
        "0.2 s in the grid (21 images)."
    )


def test_two_people_under_one_number_are_no_page() -> None:
    assert by_mode([given(1, 1000), given(1, 3000, who="bob")]) == {"choose": Mode(2.0, 2)}


def test_what_was_not_timed_undone_or_left_lying_does_not_count() -> None:
    events = [
        given(1, None), given(2, 1000, active=False), given(3, 10**7), given(4, 900, EventKind.SKIP),
    ]  # fmt: skip
    assert by_mode(events) == {}
    assert sentence({}) == ""
