"""Label Studio: `labelstudio/tasks.json` to import, and `labelstudio/config.xml` for the labeling interface.

Tasks name their images as files of a *local storage* (`/data/local-files/?d=<path>`), whose root must be the pool's
folder; nothing is copied. A label is an annotation, what the model had said is a prediction with its score.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from probal.export.base import ExportRow, Progress, Written
from probal.export.records import printable

FOLDER = "labelstudio"
CONTROL, OBJECT, LOCAL = "label", "image", "/data/local-files/?d="


def write(
    rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
) -> Written:
    """Write both files. Images need not be at hand."""
    out = folder / FOLDER
    out.mkdir()
    tasks = json.dumps([task(row) for row in rows], ensure_ascii=False, indent=1)
    (out / "tasks.json").write_text(tasks + "\n", encoding="utf-8")
    names = {row.class_id: row.label for row in rows}
    given = [names[i] for i in sorted(names)]
    # a class that was only ever predicted must be a choice too, or the prediction is refused on import
    guessed = {row.predicted for row in rows if row.predicted is not None} - set(given)
    (out / "config.xml").write_text(labeling_config([*given, *sorted(guessed)]), encoding="utf-8")
    return Written((f"{FOLDER}/",), len(rows))


def task(row: ExportRow) -> dict[str, object]:
    """One image with its label, in the format that Label Studio imports and exports."""
    stamp = row.labeled_at.isoformat() if row.labeled_at else None
    predictions = []
    if row.predicted is not None:
        predictions.append(
            {
                "model_version": "probal",
                "score": row.probability,
                "result": [_choice("p", row, row.predicted)],
            }
        )
    return {
        "data": {
            OBJECT: LOCAL + quote(row.path, errors="surrogateescape"),
            "path": printable(row.path),
            "content_hash": row.content_hash,
            "role": row.role,
        },
        "annotations": [
            {
                "result": [_choice("a", row, row.label)],
                **({"created_at": stamp} if stamp else {}),
                "meta": {"annotator": printable(row.annotator)},
            }
        ],
        "predictions": predictions,
    }


def _choice(kind: str, row: ExportRow, label: str) -> dict[str, object]:
    return {
        "id": f"{kind}{row.content_hash[:12]}",
        "from_name": CONTROL,
        "to_name": OBJECT,
        "type": "choices",
        "value": {"choices": [printable(label)]},
    }


def labeling_config(classes: Sequence[str]) -> str:
    """The labeling interface with one choice per class, as XML."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=OBJECT, value=f"${OBJECT}")
    choices = ElementTree.SubElement(view, "Choices", name=CONTROL, toName=OBJECT, choice="single")
    for name in classes:
        ElementTree.SubElement(choices, "Choice", value=printable(name))
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"
