"""Rounds and their proposals, and the snapshots of what was fitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, case, func, insert, select, update

from probal.store.base import utc_now
from probal.store.labels import refresh_open, skipped
from probal.store.repository import AnyRow, Repository
from probal.store.schema import proposal, round_, snapshot
from probal.types import NewProposal, Proposal, Reason, Round

_BATCH = select(
    func.count().label("proposed"),
    func.sum(case((and_(proposal.c.open, ~skipped(proposal.c.image_id)), 1), else_=0)).label("waiting"),
).where(proposal.c.round_id == bindparam("round_id"))


class Rounds(Repository):
    def add_round(
        self,
        project_id: int,
        *,
        strategy: str,
        seed: int,
        config: Mapping[str, Any],
        encoder_fingerprint: str,
        adapter_fingerprint: str,
        event_watermark: int,
        candidate_hash: str,
        pending_ids: Sequence[int],
        n_labels: int,
        n_train: int,
        threads: int,
        versions: Mapping[str, str],
        timings: Mapping[str, float],
        proposals: Sequence[NewProposal],
    ) -> Round:
        """Write the next round and its proposals in rank order, all or nothing; the fields are `Round`'s."""
        with self._db.write() as connection:
            last = connection.scalar(
                select(func.max(round_.c.number)).where(round_.c.project_id == project_id)
            )
            row = connection.execute(
                insert(round_).returning(round_),
                {
                    "project_id": project_id,
                    "number": 0 if last is None else last + 1,
                    "strategy": strategy,
                    "seed": seed,
                    "config": dict(config),
                    "encoder_fingerprint": encoder_fingerprint,
                    "adapter_fingerprint": adapter_fingerprint,
                    "event_watermark": event_watermark,
                    "candidate_hash": candidate_hash,
                    "pending_ids": list(pending_ids),
                    "n_labels": n_labels,
                    "n_train": n_train,
                    "threads": threads,
                    "versions": dict(versions),
                    "timings": dict(timings),
                    "created_at": utc_now(),
                },
            ).one()
            if proposals:
                connection.execute(
                    insert(proposal),
                    [
                        {
                            "project_id": project_id,
                            "round_id": row.id,
                            "image_id": item.image_id,
                            "rank": rank,
                            "predicted": [list(pair) for pair in item.predicted],
                            "reason": dataclasses.asdict(item.reason),
                            "open": True,
                        }
                        for rank, item in enumerate(proposals)
                    ],
                )
                # labeled while the batch was computed
                connection.execute(refresh_open(proposal.c.round_id == row.id))
            return _round(row)

    def rounds(self, project_id: int) -> list[Round]:
        """All rounds, first to last."""
        query = select(round_).where(round_.c.project_id == project_id).order_by(round_.c.number)
        with self._db.read() as connection:
            return [_round(row) for row in connection.execute(query)]

    def latest_round(self, project_id: int) -> Round | None:
        """The last round, None before the first."""
        query = (
            select(round_).where(round_.c.project_id == project_id).order_by(round_.c.number.desc()).limit(1)
        )
        with self._db.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _round(row)

    def proposals(self, round_id: int) -> list[Proposal]:
        """The proposals of a round in rank order."""
        query = select(proposal).where(proposal.c.round_id == round_id).order_by(proposal.c.rank)
        with self._db.read() as connection:
            return [
                Proposal(
                    row.id,
                    row.round_id,
                    row.image_id,
                    row.rank,
                    predicted_of(row.predicted),
                    reason_of(row.reason),
                )
                for row in connection.execute(query)
            ]

    def batch(self, round_id: int) -> tuple[int, int]:
        """Proposals of a round, and how many of them were neither answered nor skipped."""
        with self._db.read() as connection:
            row = connection.execute(_BATCH, {"round_id": round_id}).one()
        return row.proposed, row.waiting or 0

    def update_timings(self, round_id: int, timings: Mapping[str, float]) -> None:
        """Add seconds per step to the round's timings; a step named again is replaced."""
        with self._db.write() as connection:
            before = connection.scalar(select(round_.c.timings).where(round_.c.id == round_id)) or {}
            connection.execute(
                update(round_).where(round_.c.id == round_id).values(timings={**before, **timings})
            )

    def add_snapshot(self, project_id: int, round_id: int, path: str, sha256: str) -> None:
        """Note a fitted adapter that lies at `path`, relative to the workspace."""
        with self._db.write() as connection:
            connection.execute(
                insert(snapshot),
                {
                    "project_id": project_id,
                    "round_id": round_id,
                    "path": path,
                    "sha256": sha256,
                    "created_at": utc_now(),
                },
            )


def predicted_of(value: Sequence[Sequence[Any]]) -> tuple[tuple[int, float], ...]:
    """Class probabilities from their JSON."""
    return tuple((int(class_id), float(p)) for class_id, p in value)


def reason_of(value: Mapping[str, Any]) -> Reason:
    """A reason from its JSON."""
    return Reason(**{**value, "contested": predicted_of(value["contested"])})


def _round(row: AnyRow) -> Round:
    return Round(
        row.id,
        row.number,
        row.strategy,
        row.seed,
        row.config,
        row.encoder_fingerprint,
        row.adapter_fingerprint,
        row.event_watermark,
        row.candidate_hash,
        tuple(row.pending_ids),
        row.n_labels,
        row.n_train,
        row.threads,
        row.versions,
        row.timings,
        row.created_at,
    )
