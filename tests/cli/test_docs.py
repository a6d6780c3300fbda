"""docs/cli.md names every command, every option and every strategy, and no command that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from probal.cli import app
from probal.validate import ADAPTERS, STRATEGIES

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = typer.main.get_command(app).commands
TEXT = (ROOT / "docs" / "cli.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))


def leaves(command):
    """The command itself, or the commands of a group."""
    return getattr(command, "commands", {"": command}).values()


def test_a_group_names_its_commands_in_its_section():
    groups = {name: list(each.commands) for name, each in COMMANDS.items() if hasattr(each, "commands")}
    assert groups
    assert [
        (name, one) for name, each in groups.items() for one in each if f"`{one} " not in SECTIONS[name]
    ] == []


def test_commands_and_sections_are_the_same():
    assert SECTIONS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_documented(name):
    options = {option for each in leaves(COMMANDS[name]) for param in each.params for option in param.opts}
    flags = {option for option in options if option.startswith("-")} - {"--help"}
    assert {flag for flag in flags if flag not in SECTIONS[name]} == set()


def test_strategies_and_adapters_are_named():
    assert [name for name in STRATEGIES if f"`{name}`" not in SECTIONS["next"]] == []
    assert [name for name in ADAPTERS if f"`{name}`" not in SECTIONS["simulate"]] == []


def test_the_readme_runs_no_command_that_does_not_exist():
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", readme, re.M | re.S))
    used = set(re.findall(r"^probal (\w+)", blocks, re.M))
    assert len(used) > 6
    assert used <= COMMANDS.keys()
