"""The server's process from its start to Ctrl-C, on a stand-in that answers like the app."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from probal.cli.server import app_file, check_port, port_is_free
from probal.errors import UserError
from tests.patience import SECONDS, wait_for

STAND_IN = """
import http.server, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it as ignored
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status": "ok"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
try:
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
except KeyboardInterrupt:
    open(sys.argv[2], "w").write("stopped once")
"""

RUNNER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from types import SimpleNamespace
from probal.cli import server
from probal.errors import UserError
code, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
server._command = lambda port: [sys.executable, "-c", code, str(port), str(folder / "stopped")]
try:
    server.run_server(SimpleNamespace(path=folder), port, browser=False, page="label")
except UserError as mistake:
    sys.exit(str(mistake))
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(code: str, port: int, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, code, str(port), str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_server_cleanly(port, tmp_path, number):
    runner = start(STAND_IN, port, tmp_path)
    assert runner.stderr is not None
    lines = [runner.stderr.readline(), runner.stderr.readline()]
    assert f"ProbAL is at http://127.0.0.1:{port}/label" in lines[1]
    runner.send_signal(number)
    assert runner.wait(SECONDS) == 0
    assert (tmp_path / "stopped").read_text() == "stopped once"
    assert "kept" in runner.stderr.read()
    assert port_is_free(port)


def test_a_server_that_does_not_start_is_told_with_its_reason(port, tmp_path):
    runner = start("import sys; sys.exit('no such module: streamlit')", port, tmp_path)
    assert runner.wait(SECONDS) == 1
    assert runner.stderr is not None
    told = runner.stderr.read().splitlines()[-1]
    assert told == f"the server did not start: no such module: streamlit (log: {tmp_path / 'serve.log'})"


def test_a_port_in_use_is_named_with_a_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {number} is in use") as caught:
            check_port(number, "serve")
    free = int(str(caught.value).rsplit(" ", 1)[1])
    assert free > number
    assert port_is_free(free)


def test_a_port_that_answered_a_moment_ago_is_free_again(port):
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # this side closes first, and waits
        client.close()
    wait_for(lambda: port_is_free(port), "free port")


def test_the_app_is_found_in_the_checkout():
    assert app_file() == Path(__file__).resolve().parents[2] / "app.py"
