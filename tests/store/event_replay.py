"""The rules of the log once more, as plain Python over a list: the twin that the SQL is held against."""

from __future__ import annotations

from dataclasses import dataclass, field

from probal.types import Event, EventKind

LABELING = (EventKind.LABEL, EventKind.CONFIRM, EventKind.ADJUDICATE)


@dataclass
class Replay:
    """A log to which events are offered one by one."""

    log: list[Event] = field(default_factory=list)

    def offer(self, event: Event) -> bool:
        """Take the event if it may be taken; whether it is in the log now."""
        if any(known.event_id == event.event_id for known in self.log):
            return True
        if event.kind in (EventKind.UNDO, EventKind.REDO):
            target = next((known for known in self.log if known.event_id == event.target_event_id), None)
            if target is None or target.annotator != event.annotator or not self.active(target):
                return False
            is_turn = target.kind in (EventKind.UNDO, EventKind.REDO)
            if event.kind is EventKind.UNDO and is_turn:
                return False
            if event.kind is EventKind.REDO and target.kind is not EventKind.UNDO:
                return False
        self.log.append(event)
        return True

    def active(self, event: Event) -> bool:
        """An event counts unless an active one targets it."""
        return not any(other.target_event_id == event.event_id and self.active(other) for other in self.log)

    def image_of(self, event: Event) -> int | None:
        if event.target_event_id is None:
            return event.image_id
        return self.image_of(next(other for other in self.log if other.event_id == event.target_event_id))

    def label(self, image_id: int) -> Event | None:
        """The event that labels the image."""
        answers = self._answers(image_id)
        if not answers or answers[-1].kind is EventKind.FLAG:
            return None
        settled = [event for event in answers if event.kind is EventKind.ADJUDICATE]
        return (settled or [event for event in answers if event.kind in LABELING])[-1]

    def is_answered(self, image_id: int) -> bool:
        return bool(self._answers(image_id))

    def is_flagged(self, image_id: int) -> bool:
        answers = self._answers(image_id)
        return bool(answers) and answers[-1].kind is EventKind.FLAG

    def _answers(self, image_id: int) -> list[Event]:
        return [
            event
            for event in self.log
            if event.image_id == image_id and event.kind in (*LABELING, EventKind.FLAG) and self.active(event)
        ]
