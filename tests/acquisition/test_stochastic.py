"""Perturbed scores draw as they should; the balanced batch fills up what is short."""

import pytest
import torch

from probal.acquisition import AcquisitionState, propose
from probal.acquisition.stochastic import gumbel_top_k, power_weights, softmax_weights, stochastic
from probal.gaussian import GaussianLogits
from tests.acquisition.conformance import NONE, D, pool


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_gumbel_top_k_draws_without_replacement_by_weight() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0, 0.5])
    g = seeded()
    pairs = torch.stack([gumbel_top_k(weight.log(), 2, g) for _ in range(20_000)])
    p = weight / weight.sum()
    for first in range(4):
        for second in range(4):
            found = float(((pairs[:, 0] == first) & (pairs[:, 1] == second)).double().mean())
            want = 0.0 if first == second else float(p[first] * p[second] / (1 - p[first]))
            assert found == pytest.approx(want, abs=5 * (max(want, 1e-9) / 20_000) ** 0.5)


def test_power_knows_no_unit_and_draws_zeros_last() -> None:
    scores = torch.tensor([0.0, 0.3, 0.01, 0.0, 0.2])
    drawn = gumbel_top_k(power_weights(scores), 5, seeded())
    assert set(drawn[:3].tolist()) == {1, 2, 4}
    assert torch.equal(drawn[:3], gumbel_top_k(power_weights(1000 * scores), 5, seeded())[:3])
    assert not torch.equal(softmax_weights(scores), softmax_weights(1000 * scores))


@pytest.mark.parametrize("weights", [power_weights, softmax_weights])
def test_a_large_exponent_is_plain_top_k_and_none_is_uniform(weights: object) -> None:
    assert callable(weights)
    scores = torch.rand(50, generator=seeded(1))
    sharp = gumbel_top_k(weights(scores, 1e6), 8, seeded())
    assert torch.equal(sharp, scores.topk(8).indices)
    assert weights(scores, 0.0).abs().max() == 0


def test_the_strategies_draw_by_their_own_score() -> None:
    state = pool()
    for form, score, want in [
        ("power", "entropy", state.uncertainty.total),
        ("softmax", "bald", state.uncertainty.epistemic),
    ]:
        for choice in stochastic(form, score)(state, 6, seeded()):
            assert choice.score == pytest.approx(float(want[choice.row]))
    batches = [{pick.row for pick in propose("power-bald", state, 6, seeded(s))} for s in range(8)]
    assert len(set().union(*batches)) > 12


def test_the_balanced_batch_asks_for_the_classes_that_are_short() -> None:
    g = seeded()
    predicted = torch.arange(60) % 3
    mean = 2.0 * torch.eye(3)[predicted] + 0.3 * torch.rand(60, 3, generator=g)
    labels = torch.tensor([0, 0, 0, 0, 1])
    state = AcquisitionState(
        torch.eye(D)[predicted], GaussianLogits(mean, torch.zeros(60, 3)), torch.arange(5), labels, torch.tensor([10])
    )  # fmt: skip
    picks = propose("balanced-margin", state, 7, seeded())
    classes = [int(predicted[pick.row]) for pick in picks]
    # four labels of class 0, two of class 1 with the pending one, none of class 2: 2 + 4 fill both, then any
    assert sorted(classes[:6]) == [1, 1, 2, 2, 2, 2]
    assert classes[:2] == [2, 2]
    top = state.uncertainty.predictive.topk(2, dim=1).values
    margins = [float(top[pick.row, 0] - top[pick.row, 1]) for pick in picks if predicted[pick.row] == 2]
    assert margins == sorted(margins)
    smallest = min(float(top[r, 0] - top[r, 1]) for r in state.candidates.tolist() if predicted[r] == 2)
    assert margins[0] == pytest.approx(smallest)


@pytest.mark.parametrize("score", ["margin", "entropy", "bald"])
def test_balanced_batches_rank_a_class_by_their_own_score(score: str) -> None:
    state = pool(labeled=0, pending=0, classes=3)
    found = state.uncertainty
    top = found.predictive.topk(2, dim=1).values
    want = {"margin": 1 - (top[:, 0] - top[:, 1]), "entropy": found.total, "bald": found.epistemic}[score]
    predicted = found.predictive.argmax(1)
    picks = propose(f"balanced-{score}", state, 12, seeded())
    for c in range(3):
        rows = [pick.row for pick in picks if predicted[pick.row] == c]
        assert len(rows) == 4
        members = torch.nonzero(predicted == c)[:, 0]
        assert rows == members[want[members].argsort(descending=True)[:4]].tolist()


def test_the_balanced_batch_does_without_classes_that_nothing_is_predicted_as() -> None:
    mean = torch.tensor([[3.0, 0.0, -9.0]]).repeat(9, 1)
    state = AcquisitionState(torch.eye(9, D), GaussianLogits(mean, torch.zeros(9, 3)), NONE, NONE, NONE)
    assert len({pick.row for pick in propose("balanced-margin", state, 9, seeded())}) == 9
