"""What the commands on the sets share: their options, and one line for a user's mistake."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from probal.errors import UserError


def options(doc: str | None, seeds: int, sets: Sequence[str] = ()) -> argparse.ArgumentParser:
    """--data, --out, --seeds and --jobs, and --sets where `sets` names the default; `doc` is the help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument(
        "--out", type=_writable, required=True, help="path without ending; its folder is made"
    )
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--jobs", type=int)
    if sets:
        parser.add_argument("--sets", nargs="+", default=list(sets), metavar="SET")
    return parser


def _writable(text: str) -> Path:
    path = Path(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def told(main: Callable[[], None]) -> None:
    """Run a command; a user's mistake ends it with its line."""
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from None
