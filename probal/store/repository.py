"""What every subject of the store has: the database, and reading rows as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import BindParameter, Integer, Row, bindparam

from probal.store.engine import Database

T = TypeVar("T")
AnyRow: TypeAlias = Row[*tuple[Any, ...]]

PROJECT: BindParameter[int] = bindparam("project_id", type_=Integer)
"""The parameter that every prepared query has."""

CHUNK = 2000
"""Rows per statement: keeps one write short and stays below the parameters a statement may have."""


class Repository:
    """One subject's queries; `Store` puts the subjects together."""

    def __init__(self, database: Database) -> None:
        self._db = database


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
