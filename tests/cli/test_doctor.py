from __future__ import annotations

import json
import socket
import sys

import pytest

from probal.cli import doctor
from probal.cli.doctor import Finding, Verdict
from probal.errors import UserError


@pytest.mark.embedded
def test_a_sound_machine_passes(probal):
    result = probal("doctor", "--json")
    findings = {item["check"]: item["verdict"] for item in json.loads(result.stdout)}
    assert result.exit_code == 0
    assert "fail" not in findings.values()
    assert findings["torch"] == findings["torchvision"] == findings["encoder `embedded`"] == "ok"


def test_one_failure_is_exit_code_one_and_says_what_to_do(probal, monkeypatch):
    found = [
        Finding("Python", Verdict.OK, "3.13"),
        Finding("port", Verdict.WARN, "8501 is in use", "take another one with --port"),
        Finding("torch", Verdict.FAIL, "not installed", "pip install torch"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda workspace: found)
    result = probal("doctor")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "ok    Python: 3.13",
        "warn  port: 8501 is in use → take another one with --port",
        "fail  torch: not installed → pip install torch",
    ]


def test_warnings_are_no_failure(probal, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda workspace: [Finding("x", Verdict.WARN, "y", "z")])
    assert probal("doctor").exit_code == 0


def test_a_workspace_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for check in (doctor.writable_workspace, doctor.sqlite_wal):
        found = check(tmp_path / "file" / "workspace")
        assert found.verdict is Verdict.FAIL
        assert found.todo
    assert doctor.writable_workspace(tmp_path / "new").verdict is Verdict.OK
    assert doctor.sqlite_wal(tmp_path / "new").found.endswith("WAL")
    assert list((tmp_path / "new").iterdir()) == []


def test_weights_that_are_not_the_expected_ones(monkeypatch):
    def damaged(encoder_id: str) -> None:
        raise UserError("the weights have another hash")

    monkeypatch.setattr("probal.encoders.load_encoder", damaged)
    found = doctor.embedded_encoder()
    assert (found.verdict, found.found) == (Verdict.FAIL, "the weights have another hash")


def test_a_package_that_is_missing_or_broken(tmp_path, monkeypatch):
    assert doctor.module("no_such_package", Verdict.WARN, "install it").verdict is Verdict.WARN
    (tmp_path / "broken_package.py").write_text("raise RuntimeError('operator x::y does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    found = doctor.module("broken_package", Verdict.FAIL, "install it again")
    assert found == Finding(
        "broken_package", Verdict.FAIL, "does not import: operator x::y does not exist", "install it again"
    )
    assert "broken_package" not in sys.modules


def test_little_disk(tmp_path, monkeypatch):
    for free, verdict in [(50 << 20, Verdict.FAIL), (1 << 30, Verdict.WARN), (9 << 30, Verdict.OK)]:
        monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: type("Usage", (), {"free": free}))
        assert doctor.free_disk(tmp_path / "not" / "there").verdict is verdict


def test_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert doctor.port(taken.getsockname()[1]).verdict is Verdict.WARN
    assert doctor.port(free_port()).verdict is Verdict.OK


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
