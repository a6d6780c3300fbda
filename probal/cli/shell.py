"""The command group: one red line for a user's mistake, `--workspace` anywhere on the line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from probal import __version__
from probal.cli.console import INTERRUPTED, complain
from probal.errors import UserError

if TYPE_CHECKING:
    from probal.types import Project
    from probal.workspace import Workspace

MISTAKE = 2

# typer exports BadParameter alone; its base is what a missing option and an unknown command raise too
_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]


class OneLineErrors(TyperGroup):
    """A group whose mistakes end in one line on stderr and exit code 2, never in a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs a command; with `standalone_mode` (the default) ends the process with its exit code."""
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except UserError as mistake:
            complain(str(mistake))
            code = MISTAKE
        except _USAGE_ERROR as mistake:
            complain(_usage_line(mistake))
            code = MISTAKE
        except (KeyboardInterrupt, typer.Abort):
            complain("Stopped.")
            code = INTERRUPTED
        if standalone_mode:
            raise SystemExit(code if isinstance(code, int) else 0)
        return code

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Lets ``probal status NAME --workspace W`` mean ``probal --workspace W status NAME``."""
        return super().parse_args(ctx, _hoisted(args, "--workspace"))


def _hoisted(args: list[str], option: str) -> list[str]:
    """`args` with `option` and its value, wherever they stand before a ``--``, moved to the front."""
    stop = args.index("--") if "--" in args else len(args)
    front: list[str] = []
    rest: list[str] = []
    words = iter(args[:stop])
    for word in words:
        if word == option:
            front.extend([word, *([value] if (value := next(words, None)) is not None else [])])
        elif word.startswith(option + "="):
            front.append(word)
        else:
            rest.append(word)
    return [*front, *rest, *args[stop:]]


def _usage_line(mistake: Any) -> str:
    """The message and where to read more, such as ``Missing option '--images'. See probal init --help``."""
    where = mistake.ctx.command_path if mistake.ctx is not None else "probal"
    return f"{mistake.format_message().rstrip('.')}. See {where} --help"


app = typer.Typer(
    cls=OneLineErrors,
    name="probal",
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A folder of images, the fewest labels, a good classifier and a curated support set.",
)


@app.callback(invoke_without_command=True)
def options(
    ctx: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option(
            envvar="PROBAL_WORKSPACE",
            help="Where projects, vectors and labels live; your user data directory if not given.",
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """What every command shares."""
    if version:
        typer.echo(f"probal {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit
    ctx.obj = workspace


def workspace_path(ctx: typer.Context) -> Path:
    """The folder that ``--workspace``, PROBAL_WORKSPACE or, without either, the platform names."""
    from probal.workspace import Workspace

    return ctx.obj or Workspace.default_path()


def open_workspace(ctx: typer.Context) -> Workspace:
    """The workspace that ``--workspace``, PROBAL_WORKSPACE or the user data directory names."""
    from probal.workspace import Workspace

    return Workspace(ctx.obj)


def open_project(ctx: typer.Context, name: str) -> tuple[Workspace, Project]:
    """The workspace and its project `name`; UserError naming the known ones if there is none."""
    workspace = open_workspace(ctx)
    return workspace, workspace.store.project(name)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="probal")
