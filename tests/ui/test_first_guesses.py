from __future__ import annotations

from pathlib import Path

from PIL import Image

from probal.types import Metric
from probal.ui.first_guesses import NEAR_CHANCE, classes_of_subfolders, how_sure, start_sentence


def draw(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / name / "a.png")


def test_subfolders_with_images_become_words(tmp_path: Path) -> None:
    draw(tmp_path, "long_sleeve_t-shirt", "hat")
    (tmp_path / "notes").mkdir()
    draw(tmp_path, ".hidden")
    assert classes_of_subfolders(tmp_path) == ["hat", "long sleeve t-shirt"]


def test_one_subfolder_or_two_alike_suggest_nothing(tmp_path: Path) -> None:
    draw(tmp_path / "one", "hat")
    draw(tmp_path / "alike", "a hat", "a_hat")
    assert classes_of_subfolders(tmp_path / "one") == classes_of_subfolders(tmp_path / "alike") == []


def test_near_an_even_split_the_words_are_plain() -> None:
    chance = 0.1
    assert "hardly tells these classes apart" in how_sure(
        {"sure": chance * NEAR_CHANCE - 0.01, "chance": chance}
    )
    sure = how_sure({"sure": 0.6, "chance": chance})
    assert "60% sure" in sure
    assert "not how right" in sure


def test_only_audit_labels_say_that_the_model_did_not_know_the_classes() -> None:
    def metric(value: float, low: float, preliminary: bool = False) -> Metric:
        return Metric("accuracy", value, low, value + 0.1, 40, 0, 0, preliminary)

    assert start_sentence([], 4) is None
    assert start_sentence([metric(0.5, 0.4)], 4) is None
    assert start_sentence([metric(0.3, 0.2, preliminary=True)], 4) is None
    told = start_sentence([metric(0.3, 0.2)], 4)
    assert told is not None
    assert "30% of 40 images" in told
    assert "right on 25%" in told
