from __future__ import annotations

import pytest

from probal.ui.new_project import escape, split_names, suggested_name


def test_names_come_one_a_line_or_by_commas() -> None:
    assert split_names(" cat, dog\n\nlong sleeve\r\nfish,") == ["cat", "dog", "long sleeve", "fish"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("/home/me/My Photos!", "My-Photos"), ("~/ünter", "nter"), ("", ""), ("/a/" + "b" * 90, "b" * 64)],
)
def test_a_suggested_name_can_be_a_projects(folder: str, name: str) -> None:
    assert suggested_name(folder) == name


def test_escaped_text_has_no_markdown_left() -> None:
    assert escape("*a* [b](c) :red[d] <e>") == r"\*a\* \[b\]\(c\) \:red\[d\] \<e\>"
