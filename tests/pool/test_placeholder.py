"""The card of an item without a picture says its name, whatever that holds."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from probal.pool.placeholder import placeholder_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "name", ["17", "a/b c.jpg", "<script>alert('&')</script>", "Blöße 猫", "line\nbreak\x07", "x" * 500, ""]
)
def test_the_card_says_the_name(name: str) -> None:
    card = ElementTree.fromstring(placeholder_svg(name, 320))
    assert (card.get("width"), card.get("height")) == ("320", "320")
    assert {element.tag for element in card.iter()} == {SVG + tag for tag in ("svg", "rect", "g", "text")}
    *lines, note = [element.text or "" for element in card.iter(SVG + "text")]
    assert "no picture" in note
    assert len(lines) <= 6
    assert all(len(line) <= 28 for line in lines)
    said = "".join("".join(lines).split())
    wanted = "".join("".join(char if char.isprintable() else " " for char in name).split())
    assert said == wanted or (
        len(name) > 100 and said.startswith(wanted[:100]) and said.endswith(wanted[-5:])
    )
