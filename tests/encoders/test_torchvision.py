"""torchvision beside a torch that it was not built for. Each case in its own process: imports happen once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.embedded  # torchvision comes with that extra

MEND = "from probal.encoders._torchvision import make_torchvision_importable as mend\n"


def run(code: str, *path: Path) -> None:
    setup = f"import sys; sys.path[:0] = {[str(each) for each in path]!r}\n"
    done = subprocess.run([sys.executable, "-c", setup + MEND + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def fake_torchvision(tmp_path: Path) -> Path:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import torch\n"
        "@torch.library.register_fake('torchvision::nms')\n"
        "def meta_nms(dets, scores, iou_threshold): ...\n"
    )
    return tmp_path


def test_installed_torchvision_imports() -> None:
    run("mend(); mend()\nimport torchvision.transforms")


def test_operators_are_declared_where_the_compiled_side_is_missing(tmp_path: Path) -> None:
    fake = fake_torchvision(tmp_path)
    run(
        "assert mend() and mend()\nimport torchvision\nimport torch; torch.ops.torchvision.qnms.default", fake
    )


def test_without_the_declarations_it_does_not_import(tmp_path: Path) -> None:
    code = (
        "try:\n import torchvision\n"
        "except RuntimeError as error: assert 'nms does not exist' in str(error)\n"
        "else: raise AssertionError('torchvision imported')"
    )
    run(code, fake_torchvision(tmp_path))


def test_nothing_is_declared_where_torchvision_works() -> None:
    # stands in for a torchvision whose operators load
    code = (
        "import torch, importlib.util, pathlib\n"
        "calls = []\n"
        "torch.ops.load_library = calls.append\n"
        "assert mend() is False\n"
        "assert [pathlib.Path(c).name.startswith('_C') for c in calls] == [True]\n"
        "assert not hasattr(torch.ops.torchvision, 'nms')"
    )
    run(code)


def test_nothing_is_declared_without_torchvision() -> None:
    code = (
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "assert mend() is False\n"
        "import torch; assert not hasattr(torch.ops.torchvision, 'nms')"
    )
    run(code)
