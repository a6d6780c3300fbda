"""Agreement against published examples, by hand, and its laws."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probal.evaluation.agreement import (
    alpha_by,
    cohens_kappa,
    disagreements,
    krippendorffs_alpha,
    pairs,
)

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: nominal, four observers, twelve units
OBSERVERS = {
    "a": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    "b": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    "c": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    "d": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
}
PUBLISHED = [
    (who, unit, class_id)
    for who, row in OBSERVERS.items()
    for unit, class_id in enumerate(row)
    if class_id is not None
]


def test_alpha_of_krippendorffs_own_example():
    assert krippendorffs_alpha(PUBLISHED) == pytest.approx(0.743, abs=5e-4)


def test_kappa_of_a_table_by_hand():
    # 20 both yes, 15 both no, 5 and 10 apart: observed 0.7, expected 0.5, so 0.4 (Fleiss et al.)
    both = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    assert cohens_kappa(both) == pytest.approx(0.4)


def test_pairs_count_the_images_that_both_answered():
    found = pairs([("a", 1, 7), ("b", 1, 7), ("a", 2, 7), ("b", 2, 8), ("c", 3, 7)])
    (pair,) = found
    assert (pair.first, pair.second, pair.percent.same, pair.percent.n) == ("a", "b", 1, 2)
    assert pair.kappa == pytest.approx(0.0)


def test_one_class_alone_says_nothing():
    answers = [("a", 1, 7), ("b", 1, 7), ("a", 2, 7), ("b", 2, 7)]
    assert krippendorffs_alpha(answers) is None
    assert pairs(answers)[0].kappa is None
    assert krippendorffs_alpha([("a", 1, 7), ("a", 2, 8)]) is None


def test_groups_and_disagreements():
    answers = [("a", 1, 7), ("b", 1, 7), ("a", 2, 7), ("b", 2, 8), ("a", 3, 8), ("b", 3, 8), ("a", 4, 7)]
    found = alpha_by(answers, {1: 0, 2: 0, 3: 1, 4: 1})
    assert [n for _, n in found.values()] == [2, 1]
    assert found[1][0] is None
    assert disagreements(answers) == {2: {"a": 7, "b": 8}}


answers = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.integers(1, 3)),
    unique_by=lambda each: each[:2],
    max_size=20,
)


@given(answers=answers, seed=st.integers(0, 99))
def test_order_and_names_do_not_matter_and_one_is_full_agreement(answers, seed):
    alpha = krippendorffs_alpha(answers)
    shuffled = random.Random(seed).sample(answers, len(answers))
    renamed = [({"a": "x", "b": "a", "c": "b"}[who], image, -class_id) for who, image, class_id in shuffled]
    if alpha is None:
        assert krippendorffs_alpha(renamed) is None
        return
    assert krippendorffs_alpha(renamed) == pytest.approx(alpha)
    assert alpha <= 1 + 1e-12
    assert (alpha == pytest.approx(1)) == (not disagreements(answers))
