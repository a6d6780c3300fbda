"""What every exporter takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

Progress = Callable[[int, int], None]
"""Called with (done, total) images."""


@dataclass(frozen=True)
class ExportRow:
    """One labeled image; the export's only input, so formats need not know the store."""

    path: str
    """Relative to the image root, with forward slashes."""
    content_hash: str
    """sha256 of the bytes that were labeled, hex."""
    label: str
    """Name of the class at the time of the export."""
    class_id: int
    annotator: str
    role: str = "pool"
    """`pool`, `audit` or `test`: an audit label is a blind, uniformly drawn one."""
    round: int | None = None
    """Index of the round that proposed the image; None for what no strategy chose."""
    labeled_at: datetime | None = None
    given: str = "label"
    """Kind of the event: `label`, `confirm` (a prediction was accepted), `adjudicate` (a disagreement settled)."""
    annotators: int = 1
    """People whose answer for this image stands."""
    agreement: float = 1.0
    """Share of them that gave this label."""
    predicted: str | None = None
    """Class that the model held likeliest when it proposed the image; None for what no strategy chose."""
    probability: float | None = None
    """Its probability then."""


@dataclass(frozen=True)
class Written:
    """What one exporter left in the folder."""

    files: tuple[str, ...]
    """Top-level names, folders with a closing slash."""
    count: int
    """Rows that are in them."""
    skipped: tuple[tuple[str, str], ...] = ()
    """(path, reason) of the rows that are not."""
    what: str = "labels"
    """What `count` counts."""


@dataclass(frozen=True)
class ExportReport:
    """What `export_labels` wrote; prints as one phrase."""

    files: tuple[str, ...]
    """Top-level names below the destination, folders with a closing slash."""
    counts: Mapping[str, int]
    """Rows per format."""
    skipped: tuple[tuple[str, str], ...]
    """(path, reason) of images that a format had to leave out, in order of the paths."""
    what: Mapping[str, str] = field(default_factory=dict)
    """What the counts of a format count, where it is not labels."""

    def __str__(self) -> str:
        parts = [
            f"{count:,} {self.what.get(name, 'labels')} as {name}" for name, count in self.counts.items()
        ]
        left_out = f" ({len(self.skipped):,} images left out)" if self.skipped else ""
        return " and ".join(parts) + left_out


Exporter = Callable[[Sequence[ExportRow], Path, Path | None, Progress | None], Written]
"""`write(rows, folder, image_root, progress)` into an existing private folder.

Rows come sorted by path, at least one. An exporter writes below `folder` only, reads images only, and lists what
it had to leave out. UserError where it cannot work at all; OSError where `folder` cannot be written.
"""
