"""What each person has answered, for speed, progress and agreement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select

from probal.store.annotators import REFERENCE
from probal.store.labels import LEASED, is_void
from probal.store.projects import Projects
from probal.store.repository import PROJECT
from probal.store.schema import annotation, annotator, class_, image
from probal.store.second_opinions import SETTING, Overlap
from probal.types import EventKind, Role


@dataclass(frozen=True)
class Given:
    """An answer that stands; `class_id` as merged now, None for a skip or flag."""

    row: int
    kind: EventKind
    annotator: str
    image_id: int
    role: Role
    class_id: int | None
    created_at: datetime
    duration_ms: int | None


_GIVEN = (
    select(
        annotation.c.id,
        annotation.c.kind,
        annotator.c.name,
        annotation.c.image_id,
        image.c.role,
        func.coalesce(class_.c.merged_into, annotation.c.class_id).label("class_id"),
        annotation.c.created_at,
        annotation.c.duration_ms,
    )
    .join(annotator, annotator.c.id == annotation.c.annotator_id)
    .join(image, image.c.id == annotation.c.image_id)
    .outerjoin(class_, class_.c.id == annotation.c.class_id)
    .where(
        annotation.c.project_id == PROJECT,
        annotation.c.kind.in_((*LEASED, EventKind.ADJUDICATE)),
        annotator.c.name != REFERENCE,
        ~is_void(annotation),
    )
    .order_by(annotation.c.id)
)


class People(Projects):
    def given(self, project_id: int) -> list[Given]:
        """Every answer by people that stands, oldest first."""
        with self._db.read() as connection:
            return [
                Given(
                    row.id,
                    EventKind(row.kind),
                    row.name,
                    row.image_id,
                    Role(row.role),
                    row.class_id,
                    row.created_at,
                    row.duration_ms,
                )
                for row in connection.execute(_GIVEN, {"project_id": project_id})
            ]

    def overlap(self, project_id: int) -> Overlap:
        """How many images are labeled more than once; none until it is set."""
        return Overlap(**(self.get_setting(project_id, SETTING) or {}))

    def set_overlap(self, project_id: int, overlap: Overlap) -> None:
        """Settings for what is handed out from now on."""
        self.set_setting(project_id, SETTING, asdict(overlap))
