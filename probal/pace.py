"""How long people take for an image in each way of answering, from the time that their events carry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from probal.kinds import EventKind
from probal.types import StoredEvent

LONGEST_MS = 120_000
"""Time on one image that counts as work; beyond it somebody was away."""
CHOOSE, CONFIRM, GRID = "choose", "confirm", "grid"
_GIVEN = (EventKind.LABEL, EventKind.CONFIRM)


@dataclass(frozen=True)
class Mode:
    """One way of answering."""

    seconds: float
    """Median for an image, times away from the screen left out."""
    images: int


def by_mode(events: Sequence[StoredEvent]) -> dict[str, Mode]:
    """Choosing a class, confirming the model's, and a page of the grid at once; those that occur, in this order.

    A page of the grid comes as answers of one person under one number, each with its part of the page's time.
    """
    times: dict[str, list[float]] = defaultdict(list)
    timed = [
        each
        for each in events
        if each.active and each.event.kind in _GIVEN and each.event.duration_ms is not None
    ]
    for _, page in groupby(timed, lambda each: (each.event.annotator, each.event.seq)):
        answers = [each.event for each in page]
        for event in answers:
            mode = GRID if len(answers) > 1 else CONFIRM if event.kind is EventKind.CONFIRM else CHOOSE
            if event.duration_ms is not None and event.duration_ms <= LONGEST_MS:
                times[mode].append(event.duration_ms / 1000)
    return {
        mode: Mode(median(times[mode]), len(times[mode])) for mode in (CHOOSE, CONFIRM, GRID) if times[mode]
    }


def sentence(modes: dict[str, Mode]) -> str:
    """The medians in one sentence; empty where nothing was timed."""
    named = {CHOOSE: "to choose a class", CONFIRM: "to confirm one", GRID: "in the grid"}
    parts = [f"{each.seconds:.1f} s {named[mode]} ({each.images:,} images)" for mode, each in modes.items()]
    return f"The middle image takes {', '.join(parts)}." if parts else ""
