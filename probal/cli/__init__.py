"""The `probal` command: one module per family of commands, none of which loads torch before it must."""

from probal.cli import projects  # isort: skip  # the order of these is the order in `probal --help`
from probal.cli import (  # isort: skip
    demo,
    loop,
    posterior,
    probvlm,
    results,
    classes,
    people,
    exports,
    imports,
    backups,
    replays,
    finish,
    simulate,
    bench,
    server,
    doctor,
)
from probal.cli.shell import app, main

__all__ = [
    "app",
    "backups",
    "bench",
    "classes",
    "demo",
    "doctor",
    "exports",
    "finish",
    "imports",
    "loop",
    "main",
    "people",
    "posterior",
    "probvlm",
    "projects",
    "replays",
    "results",
    "server",
    "simulate",
]
