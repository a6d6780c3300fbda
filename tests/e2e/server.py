"""The app as its users start it: `streamlit run app.py` in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from tests import patience

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(workspace: Path, log: Path) -> Iterator[str]:
    """Serves the workspace and yields the address; stops it as Ctrl-C would, and the worker with it."""
    with Server(workspace, log) as server:
        yield server.url
        server.process.send_signal(signal.SIGINT)
        server.process.wait(patience.SECONDS)


class Server:
    """The app on a port of its own that it keeps through `kill` and `start`."""

    def __init__(self, workspace: Path, log: Path) -> None:
        self._workspace, self._log, self._port = workspace, log, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Start the process; returns once it answers."""
        flags = f"--server.port {self._port} --server.fileWatcherType none --server.headless true".split()
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", *flags],
                cwd=ROOT,
                env={**os.environ, "PROBAL_WORKSPACE": str(self._workspace), "OMP_NUM_THREADS": "1"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _wait(self.process, self._port, self._log)

    def kill(self) -> None:
        """End the server and all that it started at once, as a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    def answers() -> bool:
        assert server.poll() is None, log.read_text()
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/health", timeout=patience.SECONDS):
                return True
        except (URLError, OSError):
            return False

    patience.wait_for(answers, f"answer of the server, see {log}")
