"""Labels from Label Studio: its export as JSON, with whole annotations, or as JSON-MIN, flattened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from probal.errors import UserError
from probal.label_import.rows import LabelsFile, Row, collect

_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
"""Label Studio puts this in front of the name of an uploaded file."""
_FLAT = ("label", "choice", "labels")


def read_label_studio(tasks: Any, file: Path) -> LabelsFile:
    """Rows of the parsed JSON, one per annotation that was not cancelled.

    The image is the task's `content_hash` where ProbAL wrote it, else what its first field with a file says. Raises
    UserError for what is no list of tasks, and for an annotation of several classes.
    """
    if not isinstance(tasks, list) or not all(isinstance(task, Mapping) for task in tasks):
        raise UserError(f"{file} is no list of Label Studio tasks: export the project there as JSON")
    rows = [row for number, task in enumerate(tasks, 1) for row in _of_task(task, f"task {number}", file)]
    return collect(rows, "Label Studio", file)


def _of_task(task: Mapping[str, Any], where: str, file: Path) -> Iterator[Row]:
    data = task.get("data")
    if not isinstance(data, Mapping):
        label = next((task[name] for name in _FLAT if isinstance(task.get(name), str)), "")
        yield Row(where, image_of(task), label, annotator=str(task.get("annotator") or ""))
        return
    digest = str(data.get("content_hash") or "")
    # content goes before the path: what was labeled is this content, whatever lies at the path by now
    image = "" if digest else image_of(data)
    given = [each for each in task.get("annotations") or () if not each.get("was_cancelled")]
    for annotation in given:
        yield Row(
            where, image, _choice(annotation.get("result") or (), where, file), digest, _who(annotation)
        )
    if not given:
        yield Row(where, image, "", digest)


def _choice(results: Sequence[Mapping[str, Any]], where: str, file: Path) -> str:
    chosen = [name for each in results for name in (each.get("value") or {}).get("choices") or ()]
    if len(chosen) > 1:
        raise UserError(f"{file}, {where}, has {len(chosen)} classes: ProbAL keeps one per image")
    return str(chosen[0]) if chosen else ""


def _who(annotation: Mapping[str, Any]) -> str:
    by = annotation.get("completed_by")
    if isinstance(by, Mapping):
        return str(by.get("email") or by.get("username") or "")
    return str((annotation.get("meta") or {}).get("annotator") or "")


def image_of(data: Mapping[str, Any]) -> str:
    """Path or name of the task's image: a local-files or upload address, any URL's last part, or plain text."""
    named = data.get("image") or next(
        (value for value in data.values() if isinstance(value, str) and "/" in value), ""
    )
    url = urlsplit(str(named))
    if url.path.endswith("/local-files/"):
        return parse_qs(url.query, errors="surrogateescape").get("d", [""])[0]
    if url.scheme or url.path.startswith("/data/"):
        name = unquote(url.path.rsplit("/", 1)[-1])
        return _UPLOAD.sub("", name) if "/upload/" in url.path else name
    return str(named)
