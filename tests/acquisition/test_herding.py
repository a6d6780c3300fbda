"""Herding: greedy sums against recomputation from scratch, and what it must and must not pick."""

import itertools
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from probal.acquisition import AcquisitionState, propose
from probal.acquisition.herding import greedy
from probal.gaussian import GaussianLogits
from tests.acquisition.conformance import NONE, StrategyConformance


class TestHerding(StrategyConformance):
    strategy = "herding"


def gain_of(kernel: Tensor, reached: Tensor, doubt: Tensor, at: int) -> float:
    return float((doubt * (kernel[:, at] - reached).clamp(min=0)).sum() / doubt.sum())


def drawn(seed: int, m: int = 30) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(m, 3, generator=g, dtype=torch.float64)
    kernel = torch.exp(-torch.cdist(x, x).square())
    return (
        kernel,
        torch.rand(m, generator=g, dtype=torch.float64) ** 3,
        torch.rand(m, generator=g).double() + 0.01,
    )


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_every_pick_has_the_largest_gain_as_summed_from_scratch(seed: int, batch: int) -> None:
    kernel, reached, doubt = drawn(seed)
    free = set(range(len(doubt)))
    gains = []
    for at, gain in greedy(kernel, reached, doubt, batch):
        assert gain == pytest.approx(gain_of(kernel, reached, doubt, at), abs=1e-9)
        assert gain >= max(gain_of(kernel, reached, doubt, other) for other in free) - 1e-9
        free.remove(at)
        reached = torch.maximum(reached, kernel[at])
        gains.append(gain)
    assert all(a >= b - 1e-9 for a, b in itertools.pairwise(gains))  # submodular


def blobs(sizes: list[int], sure: list[bool]) -> AcquisitionState:
    """One tight blob per size, certain or undecided; the blobs are far from each other."""
    g = torch.Generator().manual_seed(0)
    blob = torch.cat([torch.full((n,), i) for i, n in enumerate(sizes)])
    x = torch.eye(len(sizes), 12)[blob] + 0.05 * torch.randn(len(blob), 12, generator=g)
    mean = torch.zeros(len(blob), 3)
    mean[:, 0] = torch.tensor([30.0 if each else 0.0 for each in sure])[blob]
    logits = GaussianLogits(mean, torch.zeros_like(mean))
    return AcquisitionState(x / x.norm(dim=1, keepdim=True), logits, NONE, NONE, NONE)


def asked(state: AcquisitionState, batch: int) -> list[int]:
    return [pick.row for pick in propose("herding", state, batch, torch.Generator().manual_seed(1))]


def test_a_model_that_knows_nothing_is_given_one_image_of_each_region_largest_first() -> None:
    state = blobs([60, 40, 20, 1], [False] * 4)
    rows = asked(state, 3)
    assert [sum(row >= edge for edge in (60, 100, 120)) for row in rows] == [0, 1, 2]
    assert {pick.phase for pick in propose("herding", state, 3, torch.Generator())} == {"coverage"}


def test_regions_that_the_model_is_sure_of_wait() -> None:
    rows = asked(blobs([60, 40, 20, 1], [True, True, False, True]), 1)
    assert 100 <= rows[0] < 120


def test_what_is_closed_covers_and_what_is_excluded_does_not() -> None:
    state = blobs([60, 40, 20, 1], [False] * 4)
    one = torch.tensor([7])
    assert 60 <= asked(replace(state, closed=one), 1)[0] < 100
    excluded = replace(state, excluded=one)
    assert asked(excluded, 1)[0] < 60
    assert excluded.decided["covered"] == 0


def test_what_is_pending_is_covered_as_what_is_labeled() -> None:
    state = blobs([60, 40, 20, 1], [False] * 4)
    first = asked(state, 1)
    second = asked(replace(state, pending=torch.tensor(first)), 1)
    assert first[0] < 60 <= second[0] < 100


def test_a_large_pool_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["probal.acquisition.herding"], "WINDOW", 30)
    state = blobs([60, 40, 20, 1], [False] * 4)
    assert len(set(asked(state, 10))) == 10
    assert state.decided["looked_at"] == 30


@pytest.mark.parametrize(("batch", "looked_at"), [(30, 30), (31, 90), (50, 120), (121, 121)])
def test_a_batch_larger_than_a_window_takes_several(
    monkeypatch: pytest.MonkeyPatch, batch: int, looked_at: int
) -> None:
    """Defect: the window grew with the batch, its kernel with the square of it."""
    module = sys.modules["probal.acquisition.herding"]
    sizes = []

    def counted(kernel: Tensor, *more: Any) -> list[tuple[int, float]]:
        sizes.append(len(kernel))
        return greedy(kernel, *more)

    monkeypatch.setattr(module, "WINDOW", 30)
    monkeypatch.setattr(module, "greedy", counted)
    state = blobs([60, 40, 20, 1], [False] * 4)
    picks = propose("herding", state, batch, torch.Generator().manual_seed(1))
    assert len({pick.row for pick in picks}) == batch
    assert max(sizes) <= 30
    assert sum(sizes) == state.decided["looked_at"] == looked_at
    assert state.decided["covered"] == 0
    assert all(a.score >= b.score - 1e-6 for a, b in itertools.pairwise(picks))


def test_windows_of_a_batch_do_not_ask_twice_for_the_same_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    """One image of each region before any second one, though every window has some of each."""
    monkeypatch.setattr(sys.modules["probal.acquisition.herding"], "WINDOW", 40)
    state = blobs([50, 50, 50], [False] * 3)
    rows = asked(replace(state, fitted_after=3), 41)
    assert sorted(row // 50 for row in rows[:3]) == [0, 1, 2]


def test_what_was_decided_is_left_in_the_state() -> None:
    """Two blobs, one of them certain: half of the images count, and a label in the doubtful one covers them."""
    before = blobs([20, 20], [False, True])
    propose("herding", before, 2, torch.Generator().manual_seed(0))
    assert before.decided["covered"] == before.decided["doubt_covered"] == 0
    assert before.decided["looked_at"] == 40
    assert before.decided["doubt"] == pytest.approx(0.5, abs=0.01)
    assert before.decided["counting"] == pytest.approx(0.5, abs=0.01)
    assert -1 < before.decided["reach"] < 1
    after = AcquisitionState(before.embeddings, before.logits, torch.tensor([0]), torch.tensor([0]), NONE)
    propose("herding", after, 2, torch.Generator().manual_seed(0))
    assert after.decided["doubt_covered"] > after.decided["covered"] > 0.05


def test_a_reserve_begins_with_what_a_batch_would_be() -> None:
    """Asked for 32 of which 8 are labeled before the next fit: a label's reach is that of 8."""
    g = torch.Generator().manual_seed(2)
    x = torch.nn.functional.normalize(torch.randn(300, 6, generator=g))
    logits = GaussianLogits(3 * torch.randn(300, 4, generator=g), torch.full((300, 4), 0.1))
    state = AcquisitionState(x, logits, NONE, NONE, NONE)
    reserve = asked(replace(state, fitted_after=8), 32)
    assert reserve[:8] == asked(state, 8)
    assert reserve != asked(state, 32)
    assert asked(replace(state, fitted_after=8), 4) == asked(state, 4)
