"""What BADGE, k-center and ProbCover promise about a batch as a whole."""

import itertools
from importlib import import_module

import numpy as np
import pytest
import torch

from probal.acquisition import AcquisitionState, propose
from probal.acquisition.badge import badge, residuals, square_distances
from probal.acquisition.probcover import pure_radius
from probal.gaussian import GaussianLogits
from tests.acquisition.conformance import NONE, D, pool
from tests.acquisition.test_strategies import blobs


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat(x: torch.Tensor, labeled: torch.Tensor = NONE, pending: torch.Tensor = NONE) -> AcquisitionState:
    """A pool of which nothing is known."""
    logits = GaussianLogits(torch.zeros(len(x), 2), torch.zeros(len(x), 2))
    return AcquisitionState(x, logits, labeled, torch.zeros_like(labeled), pending)


def test_badge_distances_are_those_of_the_gradients() -> None:
    g = seeded()
    p = torch.randn(9, 4, generator=g, dtype=torch.float64).softmax(1)
    x = torch.randn(9, 6, generator=g, dtype=torch.float64)
    logits = p.log().requires_grad_()
    loss = torch.nn.functional.cross_entropy(logits, p.argmax(1), reduction="sum")
    (side,) = torch.autograd.grad(loss, logits)
    gradients = torch.einsum("nc,nd->ncd", side, x).flatten(1)  # [N,C·D], which the strategy never makes
    for at in range(9):
        want = (gradients - gradients[at]).square().sum(1)
        torch.testing.assert_close(square_distances(residuals(p), x, at), want)


def test_badge_draws_its_first_by_the_squared_gradient() -> None:
    mean = torch.tensor([[4.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    state = AcquisitionState(torch.eye(3, D), GaussianLogits(mean, torch.zeros(3, 2)), NONE, NONE, NONE)
    share = residuals(mean.softmax(1)).square().sum(1)
    picks = [badge(state, 1, seeded(s))[0].row for s in range(3000)]
    found = torch.bincount(torch.tensor(picks), minlength=3) / 3000
    assert (found - share / share.sum()).abs().max() < 0.03


@pytest.mark.parametrize("seed", range(5))
def test_badge_takes_no_copy_while_there_are_others(seed: int) -> None:
    x = torch.eye(D)[[0, 0, 0, 0, 0, 0, 1, 2]]
    assert {pick.row for pick in propose("badge", flat(x), 3, seeded(seed))} >= {6, 7}
    waiting = propose("badge", flat(x, pending=torch.tensor([0])), 2, seeded(seed))
    assert {pick.row for pick in waiting} == {6, 7}


def test_k_center_leaves_at_most_twice_the_best_radius() -> None:
    for seed in range(6):
        state = pool(n=14, seed=seed, labeled=2, pending=1)
        gaps = torch.cdist(state.embeddings, state.embeddings)

        def radius(rows: list[int], gaps: torch.Tensor = gaps, state: AcquisitionState = state) -> float:
            return float(gaps[:, rows + state.covered.tolist()].amin(1).max())

        best = min(radius(list(rows)) for rows in itertools.combinations(state.candidates.tolist(), 3))
        picks = propose("k-center", state, 3, seeded())
        assert radius([pick.row for pick in picks]) <= 2 * best + 1e-5
        covered = state.covered.tolist()
        for pick in picks:
            assert pick.score == pytest.approx(float(gaps[pick.row, covered].min()), abs=1e-3)
            assert pick.score == pytest.approx(radius(covered[3:]), abs=1e-3)
            covered.append(pick.row)


def test_k_center_begins_in_the_middle_and_not_at_an_outlier() -> None:
    x, blob = blobs([30, 2])
    assert int(blob[propose("k-center", flat(x), 1, seeded())[0].row]) == 0


def test_the_pure_radius_is_the_largest() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 2)) + 2.5 * np.repeat(np.eye(3, 2), 20, axis=0)
    group = np.repeat(np.arange(3), 20)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)

    def purity(radius: float) -> float:
        """Share of open balls that hold one group only."""
        return float(np.mean([len(set(group[row < radius])) == 1 for row in gaps]))

    delta = pure_radius(points, group, 0.9)
    assert purity(delta * (1 - 1e-9)) >= 0.9
    larger = np.unique(gaps[gaps > delta])[5]
    assert purity(larger) < 0.9
    assert pure_radius(points, np.zeros(60, dtype=int)) > 0


def test_probcover_takes_dense_blobs_first_and_what_is_covered_not_at_all() -> None:
    x, blob = blobs([30, 10, 20])
    mean = torch.zeros(60, 3)
    state = AcquisitionState(x, GaussianLogits(mean, torch.zeros(60, 3)), NONE, NONE, NONE)
    picks = propose("probcover", state, 3, seeded())
    assert [int(blob[pick.row]) for pick in picks] == [0, 2, 1]
    assert sum(pick.score for pick in picks) == 60  # each image counts for the first that covers it
    known = AcquisitionState(
        x, GaussianLogits(mean, torch.zeros(60, 3)), torch.tensor([3]), torch.tensor([1]), torch.tensor([45])
    )
    assert int(blob[propose("probcover", known, 1, seeded())[0].row]) == 1


def test_probcover_on_a_sample_keeps_to_the_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("probal.acquisition.probcover"), "_MAX_POINTS", 30)
    state = pool(n=400, labeled=120)
    picks = propose("probcover", state, 15, seeded())
    assert len({pick.row for pick in picks} & set(state.candidates.tolist())) == 15
