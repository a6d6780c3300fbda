from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.colours import encoder, images, prepared, truth  # noqa: F401
from tests.session.conftest import SKEWED


@pytest.fixture
def made(probal, pool: Path):
    probal("init", "p", "--images", pool, "--classes", "red,blue,green")
    return probal


def listed(probal, *words: str) -> list[dict]:
    return json.loads(probal("classes", "list", "p", "--json", *words).stdout)


def test_a_life_of_classes(made):
    for words in (
        ("add", "p", "grey", "--color", "#808080"),
        ("rename", "p", "red", "reddish", "--keep-prompt"),
        ("prompt", "p", "blue", "a {} square"),
        ("move", "p", "grey"),
        ("key", "p", "grey", "g"),
        ("color", "p", "blue", "#0000ff"),
        ("merge", "p", "green", "blue"),
        ("reopen", "p", "blue"),
    ):
        assert made("classes", *words).exit_code == 0, words
    assert [(each["name"], each["key"]) for each in listed(made)] == [
        ("grey", "g"),
        ("reddish", "1"),
        ("blue", "2"),
    ]
    assert listed(made)[1]["prompt"] == "red"
    assert "merged into blue" in made("classes", "list", "p", "--archived").stdout
    for _ in range(8):
        assert made("classes", "undo", "p").exit_code == 0
    assert [each["name"] for each in listed(made)] == ["red", "blue", "green"]
    assert [each["prompt"] for each in listed(made)] == [None, None, None]
    assert made("classes", "undo", "p").exit_code == 2


def test_archive_and_restore(made):
    made("classes", "archive", "p", "red")
    assert [each["name"] for each in listed(made)] == ["blue", "green"]
    assert [each["archived"] for each in listed(made, "--archived")] == [True, False, False]
    made("classes", "restore", "p", "red")
    assert [each["name"] for each in listed(made)] == ["red", "blue", "green"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("merge", "p", "red", "lilac"), "no class named 'lilac'"),
        (("add", "p", "Blue"), "there already"),
        (("color", "p", "red", "loud"), "no color"),
        (("archive", "q", "red"), "no project named 'q'"),
    ],
)
def test_mistakes_end_in_one_line(made, words, reason):
    result = made("classes", *words)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_prompt_is_tried_before_it_is_kept(prepared):  # noqa: F811
    same = json.loads(prepared("classes", "preview", "p", "red", "red", "--json").stdout)
    assert same["changed"] == 0
    other = json.loads(prepared("classes", "preview", "p", "red", "blue", "--json").stdout)
    assert 0 < other["changed"] <= other["n"]
    assert (
        f"{other['changed']} of {other['n']} images"
        in prepared("classes", "preview", "p", "red", "blue").stdout
    )
    assert listed(prepared)[0]["prompt"] is None


def test_a_template_for_all_classes(prepared, monkeypatch):  # noqa: F811
    for name, swapped in (("red", "blue"), ("blue", "red"), ("green", "green")):
        monkeypatch.setitem(SKEWED, f"dark {name}", SKEWED[swapped])
    tried = json.loads(prepared("classes", "template", "p", "dark {}", "--preview", "--json").stdout)
    assert 0 < tried["changed"] <= tried["n"]
    assert "images change" in prepared("classes", "template", "p", "dark {}", "--preview").stdout
    assert "'dark {}' from the next round" in prepared("classes", "template", "p", "dark {}").output
    assert (
        json.loads(prepared("classes", "template", "p", "dark {}", "--preview", "--json").stdout)["changed"]
        == 0
    )
    wrong = prepared("classes", "template", "p", "no place")
    assert (wrong.exit_code, "exactly once" in wrong.stderr) == (2, True)
    assert "encoder's own" in prepared("classes", "template", "p", "").output
