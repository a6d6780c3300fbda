from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probal import validate
from probal.errors import UserError


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "0 class names given: at least two"),
        (["cat"], "1 class name given: at least two"),
        (["cat", " cat "], "the class 'cat' is given twice"),
        (["cat", "dog", "Cat"], "the classes 'cat' and 'Cat' differ in case only"),
        (["straße", "STRASSE"], "'straße' and 'STRASSE' differ in case only"),
        (["caf\u00e9", "cafe\u0301"], "is given twice"),
        (["cat", ""], "class name 2 is empty"),
        (["cat", " \t"], "class name 2 is empty"),
        (["cat", "<b>dog</b>"], "'<b>dog</b>' holds '<', as HTML does"),
        (["cat", "a>b"], "holds '>'"),
        (["cat", "=1+1"], "'=1+1' starts with '=', which a spreadsheet would run"),
        (["cat", "+1"], "starts with '+'"),
        (["cat", "-1"], "starts with '-'"),
        (["cat", " @home"], "'@home' starts with '@'"),
        (["cat", "a\nb"], "holds a control character"),
        (["cat", "a\x00b"], "holds a control character"),
        (["cat", "a\u202eb"], "holds a control character"),
        (["cat", "x" * 101], "class name 2 ('xxxxxxxxxxxxxxxxxxxx'…) has 101 characters: 100 at most"),
        ([f"c{i}" for i in range(1001)], "1001 class names given: 1000 at most"),
    ],
)
def test_bad_class_names_are_told_in_one_line(names: list[str], told: str):
    with pytest.raises(UserError) as mistake:
        validate.class_names(names)
    assert told in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_good_class_names_are_only_stripped():
    names = ["  long sleeve ", "T-shirt", "C++", "naïve", "می‌خواهم", "0", "a=b", "x" * 100]
    assert validate.class_names(names) == ["long sleeve", *names[1:]]
    assert len(validate.class_names([f"c{i}" for i in range(1000)])) == 1000


@given(st.lists(st.text(max_size=8), max_size=6))
def test_what_passes_is_safe_and_passes_again(names: list[str]):
    try:
        passed = validate.class_names(names)
    except UserError:
        return
    assert validate.class_names(passed) == passed
    assert len({name.casefold() for name in passed}) == len(names) >= 2
    assert all(
        name == name.strip() and name[0] not in "=+-@" and not set(name) & set("<>") for name in passed
    )


def test_class_names_are_read_from_a_list_and_from_a_file(tmp_path: Path):
    assert validate.split_class_names(" cat, big dog ,cow,") == ["cat", "big dog", "cow"]
    assert validate.split_class_names("cat,,dog") == ["cat", "", "dog"]
    assert validate.split_class_names("  ") == []
    file = tmp_path / "classes.txt"
    file.write_bytes("\ufeffcat\r\n\r\n größer, dog \n".encode())
    assert validate.read_class_names(file) == ["cat", "größer, dog"]


def test_a_class_file_that_cannot_be_read_is_told(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        validate.read_class_names(tmp_path / "none.txt")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        validate.read_class_names(tmp_path)
    latin = tmp_path / "latin.txt"
    latin.write_bytes("größer\n".encode("latin-1"))
    with pytest.raises(UserError, match="is not UTF-8"):
        validate.read_class_names(latin)


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "..", ".", "x" * 65, "<b>", "a\nb"])
def test_names_that_cannot_stand_in_an_address_are_refused(name: str):
    with pytest.raises(UserError, match="cannot be a project's name"):
        validate.project_name(name)


def test_other_project_names_are_fine():
    for name in ("a", "My-pool_2.1", "x" * 64):
        assert validate.project_name(f" {name} ") == name


@pytest.mark.parametrize("template", ["a photo", "{} and {}", "{0}", "{} {x}", "{}}", ""])
def test_a_template_has_one_place_for_the_name(template: str):
    with pytest.raises(UserError, match="exactly once"):
        validate.template(template)


def test_a_good_template_passes():
    assert validate.template("a photo of a {}, a type of pet") == "a photo of a {}, a type of pet"
    assert validate.template(None) is None


def test_prompts_are_one_a_class():
    assert validate.prompts(None, 2) == [None, None]
    assert validate.prompts([" a cat ", None, " "], 3) == ["a cat", None, None]
    with pytest.raises(UserError, match="1 prompts for 2 classes"):
        validate.prompts(["x"], 2)


@pytest.mark.parametrize("size", [-0.1, 1.5, float("nan"), float("inf")])
def test_an_audit_is_a_share_or_a_number(size: float):
    with pytest.raises(UserError, match="share from 0 to 1, or a whole number"):
        validate.audit(size)


def test_sizes_that_make_sense_pass():
    assert [validate.audit(size) for size in (0, 0.1, 1, 40)] == [0.0, 0.1, 1.0, 40.0]
    assert validate.batch_size(10) == 10
    for n in (0, -1, 1001):
        with pytest.raises(UserError, match="from 1 to 1000"):
            validate.batch_size(n)


def test_the_names_known_here_are_those_of_the_registries():
    from probal.acquisition import STRATEGIES
    from probal.adapters import ADAPTERS

    assert set(validate.STRATEGIES) == set(STRATEGIES)
    assert set(validate.ADAPTERS) == set(ADAPTERS)
    assert validate.strategy("auto") == "auto"
    assert validate.adapter("bayes") == "bayes"
    with pytest.raises(UserError, match="unknown strategy 'best'; there are auto, random"):
        validate.strategy("best")
    with pytest.raises(UserError, match="unknown adapter 'svm'; there are bayes"):
        validate.adapter("svm")


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\tb\x07"])
def test_an_annotator_has_a_printable_name(name: str):
    with pytest.raises(UserError, match="annotator's name"):
        validate.annotator(name)
    assert validate.annotator(" Zoë  ") == "Zoë"


def test_digits_label_themselves():
    assert validate.assign_keys(list("0123456789")) == list("0123456789")
    assert validate.assign_keys(["zero", "0", "one", "1", "two"]) == ["2", "0", "3", "1", "4"]


def test_other_classes_get_digits_then_letters_in_order():
    assert validate.assign_keys([f"class {i}" for i in range(13)]) == [*"1234567890", "a", "b", "d"]


@given(
    st.lists(st.one_of(st.sampled_from(string.digits), st.text("ab", min_size=2)), unique=True, max_size=60)
)
def test_keys_are_told_apart_and_leave_the_commands_alone(names: list[str]):
    keys = validate.assign_keys(names)
    given_out = [key for key in keys if key is not None]
    assert len(keys) == len(names)
    assert len(set(given_out)) == len(given_out) == min(len(names), 10 + 26 - len(set("crzysfh")))
    assert not set(given_out) & set("crzysfh")
    assert all(key == name for key, name in zip(keys, names, strict=True) if name in set(string.digits))
