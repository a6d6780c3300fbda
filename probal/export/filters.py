"""Which labels leave: by round, person, agreement, and how the label was given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from probal.errors import UserError
from probal.export.base import ExportRow

GIVEN = {
    "label": "the class was chosen by hand",
    "confirm": "the model's prediction was accepted",
    "adjudicate": "a disagreement was settled",
}
"""How a label can be given, in words."""


@dataclass(frozen=True)
class Filter:
    """What a label must be to be exported; an empty tuple asks nothing. All conditions must hold.

    Raises UserError for values that no label can have.
    """

    rounds: tuple[int, ...] = ()
    """Indices of the rounds that proposed the images, from 0."""
    annotators: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    """Keys of `GIVEN`."""
    min_agreement: float = 0.0
    """Least share of an image's annotators that gave its label."""
    audit: bool = True
    """Whether images of the audit go along."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_agreement <= 1:
            raise UserError(f"an agreement of {self.min_agreement:g}: give a share between 0 and 1")
        for kind in self.given:
            if kind not in GIVEN:
                raise UserError(f"no label is given by {kind!r}: choose from {', '.join(GIVEN)}")

    def apply(self, rows: Iterable[ExportRow]) -> list[ExportRow]:
        """The rows that may leave, in their order."""
        return [row for row in rows if self._keeps(row)]

    def _keeps(self, row: ExportRow) -> bool:
        return (
            (not self.rounds or row.round in self.rounds)
            and (not self.annotators or row.annotator in self.annotators)
            and (not self.given or row.given in self.given)
            and row.agreement >= self.min_agreement
            and (self.audit or row.role != "audit")
        )
