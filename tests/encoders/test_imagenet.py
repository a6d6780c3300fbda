"""Glued names and where they are cut, without any weights."""

from __future__ import annotations

import pytest

from probal.encoders._imagenet import spell_out

GLOSSES = {"long": 500, "sleeve": 40, "sleeves": 12, "short": 400, "hair": 90, "ed": 1, "fire": 80, "men": 50}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("longsleeve", "long sleeve"),
        ("LONGSLEEVE", "long sleeve"),
        ("longsleeves", "long sleeves"),
        ("a photo of a longsleeve.", "a photo of a long sleeve."),
        ("long_sleeve", "long sleeve"),
        ("LongSleeve", "Long Sleeve"),
        ("t-shirt", "t-shirt"),
        ("iPod", "iPod"),
        ("firemen", "firemen"),  # the vocabulary knows it
        ("sleeve", "sleeve"),
        ("haired", "haired"),  # "ed" is too short and too rare
        ("qwertyuiop", "qwertyuiop"),
        ("", ""),
    ],
)
def test_spell_out(text: str, expected: str) -> None:
    assert spell_out(text, GLOSSES, {"firemen"}) == expected


def test_the_more_common_cut_wins() -> None:
    glosses = {"out": 100, "wear": 60, "outw": 11, "ear": 90}
    assert spell_out("outwear", glosses, set()) == "out wear"
