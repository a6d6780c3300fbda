"""The store as its callers see it: all subjects behind one name."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from probal.store.classes import Classes
from probal.store.counts import Counts
from probal.store.engine import Database
from probal.store.events import Events
from probal.store.grid import GridLeases
from probal.store.images import Images
from probal.store.jobs import Jobs
from probal.store.leases import Leases
from probal.store.people import People
from probal.store.results import Results
from probal.store.rounds import Rounds
from probal.store.transfer import Transfer


class Store(Classes, People, Transfer, Images, Events, Counts, Leases, GridLeases, Rounds, Results, Jobs):
    """A workspace's memory. Safe to share between threads; other processes open their own.

    Every method is one transaction of its own (`sync_images` several), and returns after its commit.
    """

    @classmethod
    def open(cls, location: str | Path) -> Self:
        """Open the database at a path or `sqlite:///` URL; made if new, migrated if older.

        Raises:
            UserError: not a ProbAL database, made by a newer ProbAL, or on a disk that cannot hold it.
        """
        return cls(Database.open(location))

    def close(self) -> None:
        """Let go of the database; the store is of no use afterwards."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
