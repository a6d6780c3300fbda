"""Destinations that a user names, checked before the work that fills them."""

from __future__ import annotations

import os
from pathlib import Path

from probal.errors import UserError


def writable(file: Path) -> Path:
    """`file`, once it is clear that it can be written there; UserError otherwise. Writes nothing."""
    folder = file.expanduser().absolute().parent
    if file.is_dir():
        raise UserError(f"{file} is a folder: give the name of a file in it")
    if not folder.is_dir():
        raise UserError(f"no folder {folder} to write {file.name} into: make it first")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise UserError(f"{file} cannot be written: no permission")
    return file
