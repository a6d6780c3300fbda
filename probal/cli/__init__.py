"""The `probal` command: one module per family of commands, none of which loads torch before it must."""

from probal.cli import shell
from probal.cli.shell import app, main

__all__ = ["app", "main", "shell"]
