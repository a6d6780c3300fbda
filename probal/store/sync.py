"""Matching a scan with the images that the store knows: who is who, by content first. Pure; no database.

An image is its content. Within the files of one content the image with the lowest id is the original, and
takes the path that the scan calls OK, wherever that lies now; so a renamed file, or one whose first copy was
deleted, keeps its id, labels and role.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from probal.types import ImageInfo, ImageState, ScannedImage, SyncReport


@dataclass(frozen=True)
class SyncPlan:
    """What to write, in this order."""

    vacate: tuple[int, ...]
    """Images to mark missing: those gone, and those whose path changes, so that no path is taken twice."""
    update: tuple[tuple[int, ScannedImage], ...]
    insert: tuple[ScannedImage, ...]
    report: SyncReport


def plan_sync(known: Iterable[ImageInfo], scanned: Sequence[ScannedImage]) -> SyncPlan:
    """Match `scanned` (one item a path) with `known` (all images of the project, missing ones too)."""
    rows = sorted(known, key=lambda row: row.id)
    pairs, fresh = _match(rows, scanned)

    present = {row.id for row in rows if row.state is not ImageState.MISSING}
    matched = {row.id for row, _ in pairs}
    gone = [row.id for row in rows if row.id in present and row.id not in matched]
    moved = [row.id for row, item in pairs if row.path != item.path]
    taken = {row.path for row in rows if row.id in present}
    changed = sum(item.path in taken for item in fresh)
    return SyncPlan(
        vacate=(*gone, *(row_id for row_id in moved if row_id in present)),
        update=tuple((row.id, item) for row, item in pairs if _as_scanned(row) != item),
        insert=tuple(fresh),
        report=SyncReport(
            added=len(fresh) - changed,
            changed=changed,
            missing=len(gone),
            duplicates=sum(item.state is ImageState.DUPLICATE for item in scanned),
            corrupt=sum(item.state is ImageState.CORRUPT for item in scanned),
            renamed=sum(row_id in present for row_id in moved),
            returned=sum(row.id not in present for row, _ in pairs),
        ),
    )


def _match(
    rows: Sequence[ImageInfo], scanned: Sequence[ScannedImage]
) -> tuple[list[tuple[ImageInfo, ScannedImage]], list[ScannedImage]]:
    """(known, found) pairs, and what was found and never known."""
    copies: dict[str, list[ImageInfo]] = defaultdict(list)
    for row in rows:
        copies[row.content_hash].append(row)
    found: dict[str, list[ScannedImage]] = defaultdict(list)
    for item in scanned:
        found[item.content_hash].append(item)

    pairs: list[tuple[ImageInfo, ScannedImage]] = []
    fresh: list[ScannedImage] = []
    unread = found.pop("", [])
    for content_hash, items in found.items():
        items = sorted(items, key=lambda item: (item.state is not ImageState.OK, item.path))
        some, rest = _match_copies(copies.get(content_hash, []), items)
        pairs += some
        fresh += rest

    # what no content could tell: a file that cannot be read now, or could not before; the path decides
    done = {row.id for row, _ in pairs}
    by_path = {row.path: row for row in rows if row.state is ImageState.MISSING and not row.content_hash}
    by_path |= {row.path: row for row in rows if row.state is not ImageState.MISSING}
    by_path = {path: row for path, row in by_path.items() if row.id not in done}
    new = []
    for item in fresh:
        before = by_path.get(item.path)
        # a copy must not take the row: its id would be lower than the original's
        is_original = item.state is not ImageState.DUPLICATE and item.content_hash not in copies
        if before is not None and not before.content_hash and is_original:
            pairs.append((by_path.pop(item.path), item))
        else:
            new.append(item)
    for item in unread:
        before = by_path.pop(item.path, None)
        if before is None:
            new.append(item)
        elif not before.content_hash:
            pairs.append((before, item))
        else:
            # keeps the content it had; time 0 makes the next scan read the file again
            pairs.append((before, replace(item, content_hash=before.content_hash, mtime_ns=0)))
    return pairs, new


def _match_copies(
    rows: Sequence[ImageInfo], items: Sequence[ScannedImage]
) -> tuple[list[tuple[ImageInfo, ScannedImage]], list[ScannedImage]]:
    """The files of one content: the original to the original, copies by path, then in order."""
    if not rows:
        return [], list(items)
    pairs = [(rows[0], items[0])]
    by_path = {item.path: item for item in items[1:]}
    spare = []
    for row in rows[1:]:
        item = by_path.pop(row.path, None)
        if item is not None:
            pairs.append((row, item))
        else:
            spare.append(row)
    left = list(by_path.values())
    pairs += zip(spare, left, strict=False)
    return pairs, left[len(spare) :]


def _as_scanned(row: ImageInfo) -> ScannedImage:
    return ScannedImage(
        row.path, row.content_hash, row.width, row.height, row.bytes, row.mtime_ns, row.state, row.reason
    )
