"""What every command prints with: results on stdout, everything said on the way on stderr."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

ProgressCall = Callable[[int, int, str], None]
"""(done, total, message); total 0 while it is unknown."""

INTERRUPTED = 130
QUIET_SECONDS = 3.0


def out() -> Console:
    """Console on stdout, made per call because tests and pipes replace the stream."""
    return Console()


def err() -> Console:
    """Console on stderr; soft wrapped, so that one line stays one line whatever the width."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def complain(message: str) -> None:
    """One red line on stderr."""
    err().print(f"[red]{escape(' '.join(message.split()))}[/red]")


def say(message: str) -> None:
    """One line on stderr about what happens; never part of a result."""
    err().print(escape(message))


def print_json(value: Any) -> None:
    """`value` as JSON on stdout, without colours or wrapping."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(title: str, *columns: str, right: frozenset[str] = frozenset()) -> Table:
    """An empty table; columns named in `right` are right-aligned."""
    made = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


@contextmanager
def kept(what: str) -> Iterator[None]:
    """Turns Ctrl-C into one line that says what was kept, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        err().print(f"\n[yellow]Stopped.[/yellow] {escape(what)}")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def progress_bar(what: str) -> Iterator[ProgressCall]:
    """A progress bar on a terminal; elsewhere (a log, a pipe) a line per step of a long job."""
    console = err()
    if not console.is_terminal:
        yield _line_per_message()
        return
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(escape(what), total=None)

        def update(done: int, total: int, message: str = "") -> None:
            progress.update(task, completed=done, total=total or None, description=escape(message or what))

        yield update


def _line_per_message() -> ProgressCall:
    """Silent at first: what takes a moment needs no line in a log, and a mistake found early stays alone."""
    said: set[str] = set()
    started = time.monotonic()

    def update(done: int, total: int, message: str = "") -> None:
        if message and message not in said and time.monotonic() - started > QUIET_SECONDS:
            said.add(message)
            say(f"{message} ({done}/{total})" if total else message)

    return update
