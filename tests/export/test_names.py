"""Safe file names."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probal.export.names import LONGEST, NamesTaken, safe_name

RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{i}" for p in ("com", "lpt") for i in range(10))}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("long sleeve", "long sleeve"),
        ("AC/DC", "AC_DC"),
        ("c:\\x", "c__x"),
        ("nul", "_nul"),
        ("Com1.tar", "_Com1.tar"),
        ("console", "console"),
        (".git", "_git"),
        ("x. .", "x"),
        ("...", "class"),
        ("", "class"),
        ("e\u0301t\u00e9", "été"),
        ("evil\u202egnp.exe", "evil_gnp.exe"),
        ("夏" * 100 + ".png", "夏" * 38 + ".png"),
    ],
)
def test_examples(text: str, name: str) -> None:
    assert safe_name(text, "class") == name


@given(st.text(max_size=300) | st.text(alphabet="./\\: conNUL1\x00", max_size=12))
def test_always_one_plain_name(text: str) -> None:
    name = safe_name(text, "class")
    assert name == Path(name).name
    assert not set(name) & set('<>:"/\\|?*')
    assert all(unicodedata.category(c) not in ("Cc", "Cs") for c in name)
    assert name[0] not in ". "
    assert name[-1] not in ". "
    assert name.split(".")[0].lower() not in RESERVED
    assert len(name.encode()) <= LONGEST + 1


@given(
    st.lists(st.sampled_from(["a.png", "A.png", "a_2.png", "a_ff.png", "é.png", "e\u0301.png"]), max_size=12)
)
def test_taken_names_never_collide(names: list[str]) -> None:
    taken = NamesTaken()
    given_out = [taken.add(name, mark="ff") for name in names]
    keys = {unicodedata.normalize("NFC", name).casefold() for name in given_out}
    assert len(keys) == len(names)
    assert all(name.endswith(".png") for name in given_out)
