"""`probal serve`: the app on 127.0.0.1, from its start until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer

from probal.cli.console import err, say
from probal.cli.shell import app, open_workspace
from probal.errors import UserError

if TYPE_CHECKING:
    from probal.workspace import Workspace

HOST = "127.0.0.1"
DEFAULT_PORT = 8501
START_SECONDS = 90.0
STOP_SECONDS = 15.0
LOG = "serve.log"

PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")]
NoBrowserOption = Annotated[bool, typer.Option("--no-browser", help="Print the address, open nothing.")]


@app.command()
def serve(ctx: typer.Context, port: PortOption = DEFAULT_PORT, no_browser: NoBrowserOption = False) -> None:
    """Serve the pages and the API on this machine until Ctrl-C."""
    check_port(port, "serve")
    run_server(open_workspace(ctx), port, browser=not no_browser)


def check_port(port: int, command: str) -> None:
    """Raises UserError, with a free port to take instead, where something listens on `port` already."""
    if port_is_free(port):
        return
    free = next((other for other in range(port + 1, min(port + 200, 65536)) if port_is_free(other)), None)
    instead = f"; run probal {command} --port {free}" if free else ""
    whose = f": a ProbAL is open at http://{HOST}:{port}" if _healthy(port) else " by another program"
    raise UserError(f"port {port} is in use{whose}{instead}")


def port_is_free(port: int) -> bool:
    """Whether the server could listen on `port` of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as the server itself binds: a port whose last connection is in TIME_WAIT is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def run_server(
    workspace: Workspace,
    port: int,
    browser: bool,
    page: str = "",
    meanwhile: Callable[[Callable[[], bool]], None] | None = None,
) -> None:
    """Runs the app until Ctrl-C, SIGTERM or its own end.

    Args:
        page: path of the page to open, such as ``label?project=digits``.
        meanwhile: called once the app answers, with a function that tells whether it still runs; what a
            command shows in the terminal while the app serves.

    Raises:
        UserError: the app ended or did not answer; the message names its log.
    """
    log = workspace.path / LOG
    with (
        log.open("wb") as output,
        _hearing_signals(),
        _running(port, workspace, output) as server,
    ):
        say(f"Starting ProbAL on http://{HOST}:{port} (log: {log})")
        _wait_until_healthy(server, port, log)
        url = f"http://{HOST}:{port}/{page}"
        err().print(f"[green]ProbAL is at {url}[/green]  Ctrl-C stops it; what you labeled is kept.")
        if browser:
            webbrowser.open(url)
        if meanwhile is not None:
            meanwhile(lambda: server.poll() is None)
        if server.wait() != 0:
            raise UserError(f"the server ended with code {server.returncode}: {_last_line(log)} (log: {log})")


def app_file() -> Path:
    """`app.py` of the installed wheel, else that of the source checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_app" / "app.py"
    return packaged if packaged.is_file() else package.parent / "app.py"


def _command(port: int) -> list[str]:
    flags = {
        "server.address": HOST,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    words = [word for flag, value in flags.items() for word in (f"--{flag}", value)]
    return [sys.executable, "-m", "streamlit", "run", str(app_file()), *words]


@contextmanager
def _running(port: int, workspace: Workspace, output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The server's process; on leaving, whatever the reason, it is asked to stop and waited for."""
    server = subprocess.Popen(
        _command(port),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PROBAL_WORKSPACE": str(workspace.path)},
        # the terminal's Ctrl-C must reach it once, through us: a second SIGINT would skip its clean end
        start_new_session=True,
    )
    try:
        yield server
    except KeyboardInterrupt:
        say("\nStopping. Labels, vectors and settings are kept in the workspace.")
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


@contextmanager
def _hearing_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end the server as Ctrl-C does, so that no process is left behind."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _healthy(port):
        if server.poll() is not None:
            raise UserError(f"the server did not start: {_last_line(log)} (log: {log})")
        if time.monotonic() > deadline:
            raise UserError(f"the server did not answer within {START_SECONDS:.0f} s (log: {log})")
        time.sleep(0.2)


def _healthy(port: int) -> bool:
    try:
        with urlopen(f"http://{HOST}:{port}/api/health", timeout=1) as answer:
            return answer.status == 200 and "json" in answer.headers.get("Content-Type", "")
    except (URLError, OSError, ValueError):
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else "no output"
