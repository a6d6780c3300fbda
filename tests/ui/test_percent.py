"""Percentages are written one way wherever a person reads them: 95%, without a space."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from probal.finish_plan import percent

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "pages",
    "probal/ui",
    "probal/cli",
    "probal/web",
    "probal/evaluation/stopping.py",
    "probal/session/model_card.py",
)
SPACED = re.compile(r"(?:\d|^)[ \u00a0]%(?=$|[ %.,;:)<])")
SPACED_SCRIPT = re.compile(r"[\d}](?: |\u00a0|\\u00a0)%(?=[ `\"'.,;:)<])")


def spaced(source: str) -> list[str]:
    """Strings of a Python file that set a percentage off from its sign, parts of f-strings included."""
    return [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SPACED.search(node.value)
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_no_space_stands_before_the_sign(room: str) -> None:
    place = ROOT / room
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert files
    found = {file.name: strings for file in files if (strings := spaced(file.read_text("utf-8")))}
    assert not found


def test_nor_in_the_labeler() -> None:
    files = sorted((ROOT / "probal/web/labeler").glob("*.js"))
    assert files
    assert not [file.name for file in files if SPACED_SCRIPT.search(file.read_text("utf-8"))]


def test_the_search_finds_what_it_looks_for() -> None:
    assert spaced('a = "the 95 % interval"')
    assert spaced('a = f"{x:.0f} %"')
    assert spaced('a = "%.0f 5 %%"')
    assert not spaced('a = f"{x:.0%} of 5"')
    assert SPACED_SCRIPT.search("`${Math.round(p)}\\u00a0%`")


@pytest.mark.parametrize(
    ("share", "text"), [(0.95, "95%"), (0.995, "99.5%"), (0.97, "97%"), (0.9876, "98.76%")]
)
def test_a_chosen_share_is_written_as_chosen(share: float, text: str) -> None:
    assert percent(share) == text
