from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from probal import __version__
from probal.cli import app
from probal.cli.console import kept
from probal.cli.shell import OneLineErrors
from probal.errors import UserError

COMMANDS = {
    "backup", "bench", "classes", "demo", "doctor", "embed", "export", "finish", "import", "init", "label", "next",
    "people", "posterior", "predict", "probvlm", "replay", "restore", "serve", "simulate", "status",
}  # fmt: skip


@pytest.fixture
def toy():
    """A group of the same kind whose commands end in every way there is."""
    toy = typer.Typer(cls=OneLineErrors, pretty_exceptions_enable=False, add_completion=False)

    @toy.callback()
    def options(ctx: typer.Context, workspace: str = "default") -> None:
        ctx.obj = workspace

    @toy.command()
    def where(ctx: typer.Context, word: str = "") -> None:
        typer.echo(f"{ctx.obj} {word}".strip())

    @toy.command()
    def mistake() -> None:
        raise UserError("no such\nfolder [/red] here")

    @toy.command()
    def bug() -> None:
        raise ZeroDivisionError("ours")

    @toy.command()
    def interrupted() -> None:
        with kept("Twelve vectors are kept."):
            raise KeyboardInterrupt

    @toy.command()
    def bare_interrupt() -> None:
        raise KeyboardInterrupt

    return lambda *words: CliRunner().invoke(toy, list(words))


def test_a_users_mistake_is_one_line_and_two(toy):
    result = toy("mistake")
    assert result.exit_code == 2
    assert result.stderr == "no such folder [/red] here\n"
    assert result.stdout == ""


def test_a_bug_keeps_its_traceback(toy):
    result = toy("bug")
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["where", "--nope"], "No such option: --nope. See root where --help"),
        (["nope"], "No such command 'nope'. See root --help"),
        (["where", "--word"], "requires an argument. See probal --help"),
    ],
)
def test_a_wrong_word_on_the_line_is_one_line_too(toy, words, line):
    result = toy(*words)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert line in result.stderr


def test_ctrl_c_says_what_was_kept(toy):
    result = toy("interrupted")
    assert result.exit_code == 130
    assert "Stopped. Twelve vectors are kept." in result.stderr
    assert toy("bare-interrupt").exit_code == 130


@pytest.mark.parametrize(
    "words",
    [
        ["--workspace", "W", "where"],
        ["where", "--workspace", "W"],
        ["where", "--workspace=W"],
    ],
)
def test_the_workspace_may_stand_anywhere(toy, words):
    assert toy(*words).stdout == "W\n"


def test_a_word_after_two_dashes_is_no_option(toy):
    result = toy("where", "--", "--workspace", "W")
    assert result.exit_code == 2


def test_the_commands_are_those_of_the_design():
    group = typer.main.get_command(app)
    assert set(group.commands) == COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_version_and_help_need_no_command():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"probal {__version__}\n"
    bare = CliRunner().invoke(app, [])
    assert bare.exit_code == 0
    assert "simulate" in bare.stdout


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom probal.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'pandas', 'sqlalchemy', 'streamlit', 'plotly', 'sklearn'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
