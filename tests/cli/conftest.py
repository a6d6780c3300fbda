from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from probal.cli import app

Run = Callable[..., Result]


def invoke(workspace: Path, *words: object) -> Result:
    """Runs a command on a workspace; a bug's traceback is not swallowed."""
    result = CliRunner().invoke(app, ["--workspace", str(workspace), *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def draw_pool(folder: Path) -> Path:
    """Twelve noise images, half of them bluish (even numbers) and half reddish."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(12):
        pixels = generator.integers(0, 120, (32, 32, 3), dtype=np.uint8)
        pixels[..., 0 if i % 2 else 2] += 120
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def probal(workspace: Path) -> Run:
    """Runs a command on the test's own workspace."""
    return partial(invoke, workspace)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    return draw_pool(tmp_path / "pool")
