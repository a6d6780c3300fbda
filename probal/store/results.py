"""What came out: measurements and exports."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from probal.store.base import utc_now
from probal.store.repository import AnyRow, Repository
from probal.store.schema import export, metric
from probal.types import ExportRecord, Metric


class Results(Repository):
    def add_metrics(self, project_id: int, metrics: Sequence[Metric]) -> None:
        """Write measurements, all or nothing; one of the same name, round and label count is replaced."""
        with self._db.write() as connection:
            for item in metrics:
                connection.execute(
                    delete(metric).where(
                        metric.c.project_id == project_id,
                        metric.c.name == item.name,
                        metric.c.round_index == item.round_index,
                        metric.c.labels == item.labels,
                    )
                )
                connection.execute(
                    insert(metric),
                    {
                        "project_id": project_id,
                        "name": item.name,
                        "round_index": item.round_index,
                        "labels": item.labels,
                        "value": item.value,
                        "low": item.low,
                        "high": item.high,
                        "n": item.n,
                        "preliminary": item.preliminary,
                        "detail": dict(item.detail),
                        "created_at": utc_now(),
                    },
                )

    def metrics(self, project_id: int, name: str | None = None) -> list[Metric]:
        """The measurements in the order of the curve; of one name, or all."""
        query = (
            select(metric)
            .where(metric.c.project_id == project_id)
            .order_by(metric.c.round_index, metric.c.labels, metric.c.name)
        )
        if name is not None:
            query = query.where(metric.c.name == name)
        with self._db.read() as connection:
            return [_metric(row) for row in connection.execute(query)]

    def add_export(self, project_id: int, path: str, formats: Sequence[str], n: int) -> ExportRecord:
        """Note an export of `n` labels written to the folder `path`."""
        with self._db.write() as connection:
            row = connection.execute(
                insert(export).returning(export),
                {
                    "project_id": project_id,
                    "path": path,
                    "formats": list(formats),
                    "n": n,
                    "created_at": utc_now(),
                },
            ).one()
        return _export(row)

    def exports(self, project_id: int) -> list[ExportRecord]:
        """The exports, newest first."""
        query = select(export).where(export.c.project_id == project_id).order_by(export.c.id.desc())
        with self._db.read() as connection:
            return [_export(row) for row in connection.execute(query)]


def _metric(row: AnyRow) -> Metric:
    return Metric(
        row.name,
        row.value,
        row.low,
        row.high,
        row.n,
        row.labels,
        row.round_index,
        row.preliminary,
        row.detail,
    )


def _export(row: AnyRow) -> ExportRecord:
    return ExportRecord(row.id, row.path, tuple(row.formats), row.n, row.created_at)
