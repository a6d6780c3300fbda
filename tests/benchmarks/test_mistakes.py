"""The four ways in which labeling goes wrong, on small sets: what is counted, and what the people do."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import _mistakes_loop as loops
from benchmarks._panels import Line, Panel, draw
from probal.simulate import Source


@pytest.fixture
def source() -> Source:
    rng = np.random.default_rng(0)
    centres, y = 3 * rng.normal(size=(4, 8)), rng.integers(0, 4, 240)
    x = (centres[y] + rng.normal(size=(240, 8))).astype(np.float32)
    return Source("s", "e", ("a", "b", "c", "d"), x, y, None, None, None, 15.0, False)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BUDGET": 60, "CHECK_FROM": 40, "ADDED_AT": 2, "GROWS_AT": 3}.items():
        monkeypatch.setattr(loops, name, value)


def test_labels_asked_again_cost_answers_and_are_mended(source: Source):
    plain, checked = (loops.noise(source, 1, "random", 0.3, check) for check in (False, True))
    assert plain["answers"] == checked["answers"] == list(range(0, 61, 10))
    assert plain["asked_again"][-1] == 0
    assert plain["wrong_labels"][-1] > 5
    assert 0 < checked["mended"][-1] <= checked["asked_again"][-1]
    assert checked["wrong_labels"][-1] < plain["wrong_labels"][-1]
    assert checked["accuracy"][:5] == plain["accuracy"][:5], "the same until the first check"


def test_the_one_who_takes_a_class_for_another_is_named_and_repaired(
    source: Source, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loops, "SEEN_BY_ALL", 2)
    plain, mended = (loops.annotator(source, 0, "random", check) for check in (False, True))
    assert plain["named"][-1] == mended["named"][-1] == 1
    assert mended["wrong_labels"][-1] < plain["wrong_labels"][-1]
    assert mended["answers"][1] == 20, "ten images, five of which all three people saw"


def test_a_class_listed_later_is_not_called_before_and_found_after(source: Source):
    late = loops.added_class(source, 0, "random", late=True)
    assert late["recall_new"][:2] == [0, 0]
    assert late["recall_new"][-1] > 0.5


def test_other_images_are_warned_of_and_learned_and_the_same_kind_is_not(source: Source):
    same = loops.growing_pool(source, 0, "auto", None)
    moved = loops.growing_pool(source, 0, "auto", lambda x: x[:, ::-1].copy())
    assert (same["warned"][0], moved["warned"][0]) == (0, 1)
    assert moved["accuracy_new"][-1] > moved["accuracy_new"][3]


def test_digits_move_by_a_column():
    x = np.arange(64, dtype=np.float32)[None]
    moved = loops.one_pixel_right(x).reshape(8, 8)
    assert not moved[:, 0].any()
    assert np.array_equal(moved[:, 1:], x.reshape(8, 8)[:, :-1])


def test_the_figure_is_an_image_with_every_line(tmp_path: Path):
    line = Line("20% wrong & more", [0, 10], [0.1, 0.9], [0.0, 0.8], [0.2, 1.0])
    draw([Panel("one", [line, line]), Panel("two", [line])], tmp_path / "f.svg")
    root = ElementTree.parse(tmp_path / "f.svg").getroot()
    assert len(root.findall(".//{*}polyline")) == 3
    assert sum(each.text == "20% wrong & more" for each in root.iter("{http://www.w3.org/2000/svg}text")) == 3
