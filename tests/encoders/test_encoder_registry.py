"""Encoder ids: what is known, what is refused in one line, and that asking costs no torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from probal.encoders import check_encoder_id, load_encoder
from probal.errors import UserError


@pytest.mark.parametrize(
    "encoder_id", ["", "clip", "embedded:", "embedded:x", "Embedded", "open_clip", "auto:x"]
)
@pytest.mark.parametrize("ask", [check_encoder_id, load_encoder])
def test_unknown_encoder_names_the_known_ones(encoder_id: str, ask: Callable[[str], object]) -> None:
    with pytest.raises(
        UserError, match=r"unknown encoder .*expected `embedded`, `auto`, `open_clip:"
    ) as caught:
        ask(encoder_id)
    assert "\n" not in str(caught.value)


def test_checking_loads_no_torch() -> None:
    code = (
        "import sys\n"
        "from probal.encoders import check_encoder_id\n"
        "from probal.errors import UserError\n"
        "for each in ('embedded', 'auto', 'open_clip:ViT-B-32/openai', 'open_clip:nope/x', 'nope'):\n"
        "    try: check_encoder_id(each)\n"
        "    except UserError: pass\n"
        "assert not {'torch', 'timm', 'open_clip', 'transformers', 'torchvision'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
