"""File names that every common file system takes, without collisions."""

from __future__ import annotations

import re
import unicodedata
from itertools import chain, count
from pathlib import PurePosixPath

LONGEST = 120
"""Bytes of UTF-8; file systems take 255, archives and Windows paths less."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$", re.IGNORECASE)


def safe_name(text: str, fallback: str) -> str:
    """`text` as the name of one file or folder; readable text stays as it is.

    Separators, control and direction characters become `_`, as does a leading dot; dots and blanks at the end
    go; names reserved by Windows get a `_` in front; long names are cut before the suffix. `fallback` where
    nothing is left.
    """
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).strip(" ").rstrip(". ")
    if name.startswith("."):
        name = f"_{name[1:]}"
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix.encode()) <= 16 else ""
    room = LONGEST - len(suffix.encode())
    stem = name[: len(name) - len(suffix)].encode()[:room].decode(errors="ignore")
    name = (stem + suffix).rstrip(". ") or fallback
    return f"_{name}" if _RESERVED.match(name) else name


class NamesTaken:
    """Names of one folder; two that differ only in case or in Unicode's composition count as one."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def add(self, name: str, mark: str = "") -> str:
        """`name`, or where it is taken the name with `mark`, then with a number, before the suffix."""
        path = PurePosixPath(name)
        stem = f"{path.stem}_{mark}" if mark else path.stem
        marked = [f"{stem}{path.suffix}"] if mark else []
        numbered = (f"{stem}_{number}{path.suffix}" for number in count(2))
        free = next(each for each in chain([name], marked, numbered) if self._key(each) not in self._taken)
        self._taken.add(self._key(free))
        return free

    @staticmethod
    def _key(name: str) -> str:
        return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
