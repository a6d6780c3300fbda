"""What every reader of labels gives: rows that name an image and a class, in the words of the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from probal.errors import UserError


@dataclass(frozen=True)
class Row:
    """One label of the file; the image is named by its content, by its path, or by both."""

    where: str
    """Place in the file for a complaint: `line 3`, `task 7`, a file's name."""
    image: str
    """A path, an absolute path or a file name; empty where only the content is known."""
    label: str
    content_hash: str = ""
    """sha256 of the image's bytes, hex; goes before the path."""
    annotator: str = ""
    """Who gave it, where the file says so."""


@dataclass(frozen=True)
class LabelsFile:
    rows: tuple[Row, ...]
    digest: str
    """sha256 of what was read: the same labels again are the same events."""
    unlabeled: int
    """Images of the file without a label; they are left out."""
    format: str = "csv"
    """In words."""


def collect(rows: Iterable[Row], format: str, source: Path, digest: str | None = None) -> LabelsFile:
    """The rows with a label; without a digest it is made of them. UserError where there is none."""
    found = list(rows)
    labeled = tuple(row for row in found if row.label)
    if not labeled:
        raise UserError(f"{source} ({format}) holds no label")
    if digest is None:
        told = sorted(f"{row.content_hash}\t{row.image}\t{row.label}\t{row.annotator}" for row in labeled)
        digest = hashlib.sha256("\n".join(told).encode("utf-8", "surrogateescape")).hexdigest()
    return LabelsFile(labeled, digest, len(found) - len(labeled), format)
