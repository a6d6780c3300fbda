"""The curated support set: the greedy optimum, spread over the class, the same every time."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from probal.export.coverage import cover, cover_classes


def unit(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def value(x: np.ndarray, chosen: tuple[int, ...]) -> float:
    """Above the least there is, −1 each, as the greedy rule's guarantee counts."""
    return float((x @ x[list(chosen)].T).max(1).sum()) + len(x)


@pytest.mark.parametrize("seed", range(5))
def test_within_the_guarantee_of_the_best_set_there_is(seed: int) -> None:
    x = unit(12, 3, seed)
    best = max(value(x, chosen) for chosen in combinations(range(12), 3))
    assert value(x, tuple(cover(x, 3))) >= (1 - 1 / np.e) * best


def test_the_first_is_the_most_typical_and_the_next_lie_elsewhere() -> None:
    middle = np.eye(4)[[0, 0, 0, 0, 1, 1, 1, 2]] + 0.05 * np.random.default_rng(0).normal(size=(8, 4))
    x = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    chosen = cover(x, 3)
    assert chosen[0] == int((x @ x.T).sum(1).argmax())
    assert [int(x[i].argmax()) for i in chosen] == [0, 1, 2]


def test_every_image_once_and_no_more_than_there_are() -> None:
    assert sorted(cover(unit(5), 9)) == list(range(5))
    assert cover(np.ones((3, 1)), 3) == [0, 1, 2], "equal images go by their order"
    with pytest.raises(ValueError, match="at least 1"):
        cover(unit(5), 0)


def test_blocks_and_row_order_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = unit(40)
    whole = cover(x, 7)
    monkeypatch.setattr("probal.export.coverage._BLOCK", 11)
    assert cover(x, 7) == whole
    order = np.random.default_rng(1).permutation(40)
    assert {order[i] for i in cover(x[order], 7)} == set(whole)


def test_classes_are_covered_one_by_one() -> None:
    x, labels = unit(20), ["a", "b"] * 9 + ["c", "a"]
    rows = cover_classes(x, labels, 3)
    assert rows == sorted(rows)
    assert sorted(labels[i] for i in rows) == ["a"] * 3 + ["b"] * 3 + ["c"]
    own = [i for i, label in enumerate(labels) if label == "b"]
    assert {i for i in rows if labels[i] == "b"} == {own[i] for i in cover(x[own], 3)}
