"""Wrong labels that were planted are found, and right ones are left alone."""

import numpy as np
import pytest

from probal.evaluation import (
    class_agreement,
    odd_annotators,
    repeat_agreement,
    suspicious_labels,
)


def _planted(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, set[int]]:
    y = rng.integers(0, 4, 300)
    probs = 0.65 * np.eye(6)[y] + 0.35 * rng.dirichlet(np.ones(6), 300)  # two classes have no label
    wrong = rng.permutation(300)[:30]
    y[wrong] = (y[wrong] + 1) % 4
    return probs, y, set(wrong.tolist())


def test_planted_labels_are_found_and_ranked_first():
    probs, y, wrong = _planted(np.random.default_rng(0))
    found = suspicious_labels(probs, y).tolist()
    assert len(wrong & set(found)) >= 27
    assert len(set(found) - wrong) <= 5
    assert set(found[:10]) <= wrong


def test_right_labels_and_too_little_to_go_by_are_left_alone():
    probs, y, wrong = _planted(np.random.default_rng(1))
    good = np.array(sorted(set(range(300)) - wrong))
    assert len(suspicious_labels(probs[good], y[good])) <= 3
    assert suspicious_labels(np.zeros((0, 3)), np.zeros(0, int)).size == 0
    assert suspicious_labels(np.eye(3)[:1], np.array([1])).size == 0


def test_repeat_agreement_by_class():
    found = repeat_agreement([1, 1, 1, 2], [1, 1, 2, 2])
    assert {key: (each.same, each.n) for key, each in found.items()} == {None: (3, 4), 1: (2, 3), 2: (1, 1)}
    assert found[None].low < 0.75 < found[None].high


def test_class_agreement_counts_only_images_with_several_answers():
    answers = [("a", 1, 7), ("b", 1, 7), ("a", 2, 7), ("b", 2, 8), ("a", 3, 8)]
    found = class_agreement(answers)
    assert {key: (each.same, each.n) for key, each in found.items()} == {7: (1, 2), 8: (0, 1)}


def _crew(rng: np.random.Generator, confused: bool) -> list[tuple[str, int, int]]:
    """Four people on 120 images of three classes, 3 % slips; one may take class 2 for class 0."""
    answers = []
    for image in range(120):
        for who in "abcd":
            given = image % 3
            if confused and who == "c" and given == 2 and rng.random() < 0.6:
                given = 0
            if rng.random() < 0.03:
                given = (given + 1) % 3
            answers.append((who, image, given))
    return answers


def test_the_confused_annotator_is_named_with_the_class():
    rng = np.random.default_rng(3)
    named = [odd_annotators(_crew(rng, confused=True)) for _ in range(20)]
    assert all([(each.annotator, each.class_id) for each in found][:1] == [("c", 2)] for found in named)
    false_alarms = sum(bool(odd_annotators(_crew(rng, confused=False))) for _ in range(60))
    assert false_alarms <= 8  # 5 % of 60, and three standard errors


def test_two_annotators_accuse_nobody():
    assert odd_annotators([(who, image, (who == "b") * 1) for image in range(40) for who in "ab"]) == []


def test_one_of_three_who_is_always_wrong_on_a_class_is_named():
    """On that class the other two are tied in each other's eyes: their own vote tells that they are right."""
    truth = {image: 2 * (image % 2) for image in range(40)}
    answers = [(who, image, 1 if who == "c" and c == 2 else c) for image, c in truth.items() for who in "abc"]
    (found,) = odd_annotators(answers)
    assert (found.annotator, found.class_id) == ("c", 2)
    assert (found.differs, found.n, found.others_differ, found.others_n) == (20, 20, 0, 40)


def test_three_people_who_all_slip_alike_are_seldom_named():
    rng = np.random.default_rng(5)
    named = 0
    for _ in range(60):
        truth = rng.integers(0, 4, 100)
        said = {who: np.where(rng.random(100) < 0.1, rng.integers(0, 4, 100), truth) for who in "abc"}
        named += bool(odd_annotators([(who, i, int(c)) for who in "abc" for i, c in enumerate(said[who])]))
    assert named <= 6  # 5 % allowed


def test_bad_arguments():
    with pytest.raises(ValueError, match="integers"):
        suspicious_labels(np.eye(2), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="labels must be in"):
        suspicious_labels(np.eye(2), np.array([0, 2]))
    with pytest.raises(ValueError, match="two answers"):
        repeat_agreement([1], [])
