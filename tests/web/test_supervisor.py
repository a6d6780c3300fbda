"""The worker is started, started again when it dies, and gone when the server is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from probal.web import supervisor
from probal.web.supervisor import WorkerSupervisor
from tests import patience


def command(log: Path, body: str, first: str = "pass") -> list[str]:
    """A stand-in for the worker that does `first`, notes its process id and then does `body`."""
    note = f"open({str(log)!r}, 'a').write(f'{{os.getpid()}}\\n')"
    return [sys.executable, "-c", "\n".join(("import os, signal, time", first, note, body))]


def pids(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(patience.SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    log = tmp_path / "pids"

    async def run() -> None:
        async with WorkerSupervisor(tmp_path, command(log, "raise SystemExit(3)")) as running:
            await until(lambda: len(pids(log)) >= 3 and running.starts >= 3)

    asyncio.run(run())
    assert len(set(pids(log))) == len(pids(log))


def test_the_pause_grows_while_it_keeps_dying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(supervisor.asyncio, "sleep", noted)

    async def run() -> None:
        async with WorkerSupervisor(tmp_path, [sys.executable, "-c", "pass"]):
            while len(pauses) < 4:
                await sleep(0.02)

    asyncio.run(run())
    assert pauses[:4] == [1, 2, 4, 8]


@pytest.mark.parametrize("first", ["pass", "signal.signal(15, signal.SIG_IGN)"])
def test_leaving_stops_it_even_if_it_does_not_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(supervisor, "GRACE", 0.5)
    log = tmp_path / "pids"

    async def run() -> None:
        async with WorkerSupervisor(tmp_path, command(log, "time.sleep(600)", first)):
            await until(lambda: len(pids(log)) == 1)

    asyncio.run(run())
    (pid,) = pids(log)
    assert not alive(pid)


def test_the_web_process_loads_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys, app, probal.ui.labeler, probal.ui.pool_view, probal.ui.export_view, probal.ui.charts\n"
        "print(sorted({'torch', 'torchvision', 'transformers', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PROBAL_WORKSPACE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_workspace_that_cannot_be_written_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = subprocess.run(
        [sys.executable, "-c", "import app"],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PROBAL_WORKSPACE": str(tmp_path / "file" / "workspace")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "cannot be written" in line
