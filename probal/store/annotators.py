"""Who labels; a name becomes an annotator of the project with its first event or lease."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from probal.store.base import utc_now
from probal.store.schema import annotator

REFERENCE = "reference"
"""The annotator of labels that came with the images; no person may take the name."""


def annotator_id(connection: Connection, project_id: int, name: str) -> int:
    """The annotator's id, written if new; inside the caller's write transaction."""
    known = connection.scalar(
        select(annotator.c.id).where(annotator.c.project_id == project_id, annotator.c.name == name)
    )
    if known is not None:
        return int(known)
    return int(
        connection.execute(
            insert(annotator).returning(annotator.c.id),
            {
                "project_id": project_id,
                "name": name,
                "role": "reference" if name == REFERENCE else "annotator",
                "created_at": utc_now(),
            },
        ).scalar_one()
    )
