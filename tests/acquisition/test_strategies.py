"""Every registered strategy joins the suite, and each does what its paper says."""

import importlib
from dataclasses import replace

import pytest
import torch

from probal.acquisition import STRATEGIES, AcquisitionState, Pick, propose
from probal.errors import UserError
from probal.gaussian import GaussianLogits
from tests.acquisition.conformance import NONE, D, StrategyConformance, pool


class TestAuto(StrategyConformance):
    strategy = "auto"


class TestRandom(StrategyConformance):
    strategy = "random"


class TestTypiClust(StrategyConformance):
    strategy = "typiclust"


class TestMarginCluster(StrategyConformance):
    strategy = "margin-cluster"


class TestMarginDensity(StrategyConformance):
    strategy = "margin-density"


class TestMargin(StrategyConformance):
    strategy = "margin"


class TestEntropy(StrategyConformance):
    strategy = "entropy"


class TestExpectedEntropy(StrategyConformance):
    strategy = "expected-entropy"


class TestBald(StrategyConformance):
    strategy = "bald"


class TestLeastConfidence(StrategyConformance):
    strategy = "least-confidence"


class TestEpig(StrategyConformance):
    strategy = "epig"


class TestBatchBald(StrategyConformance):
    strategy = "batchbald"


class TestBadge(StrategyConformance):
    strategy = "badge"


class TestKCenter(StrategyConformance):
    strategy = "k-center"


class TestProbCover(StrategyConformance):
    strategy = "probcover"


class TestPowerMargin(StrategyConformance):
    strategy = "power-margin"


class TestPowerEntropy(StrategyConformance):
    strategy = "power-entropy"


class TestPowerBald(StrategyConformance):
    strategy = "power-bald"


class TestSoftmaxBald(StrategyConformance):
    strategy = "softmax-bald"


class TestBalancedMargin(StrategyConformance):
    strategy = "balanced-margin"


class TestBalancedEntropy(StrategyConformance):
    strategy = "balanced-entropy"


class TestBalancedBald(StrategyConformance):
    strategy = "balanced-bald"


class TestProbVLM(StrategyConformance):
    strategy = "probvlm"

    def ask(self, state: AcquisitionState, batch: int, seed: int = 0) -> list[Pick]:
        return super().ask(replace(state, probvlm_score=state.embeddings.square().sum(1)), batch, seed)


def test_probvlm_takes_the_largest_scores_that_are_free() -> None:
    state = pool()
    score = torch.rand(len(state.embeddings), generator=torch.Generator().manual_seed(4))
    picks = propose("probvlm", replace(state, probvlm_score=score), 5, torch.Generator())
    free = score[state.candidates]
    assert [pick.row for pick in picks] == state.candidates[free.argsort(descending=True)[:5]].tolist()


def test_probvlm_needs_a_model_and_a_finite_score() -> None:
    with pytest.raises(UserError, match="probal probvlm train"):
        propose("probvlm", pool(), 3, torch.Generator())
    score = torch.full((len(pool().embeddings),), float("nan"))
    with pytest.raises(FloatingPointError, match="score of row"):
        propose("probvlm", replace(pool(), probvlm_score=score), 3, torch.Generator())


def test_every_strategy_is_in_the_suite() -> None:
    importlib.import_module(
        "tests.acquisition.test_herding"
    )  # whose class joins too, also when this file runs alone
    assert {each.strategy for each in StrategyConformance.__subclasses__()} == set(STRATEGIES)


def test_unknown_strategies_and_empty_batches_are_refused() -> None:
    with pytest.raises(UserError, match=r"unknown strategy 'best'.*auto, random"):
        propose("best", pool(), 3, torch.Generator())
    with pytest.raises(UserError, match="at least one image"):
        propose("random", pool(), 0, torch.Generator())


def blobs(sizes: list[int], spread: float = 0.05) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit rows around as many orthogonal directions, and the blob of each row."""
    g = torch.Generator().manual_seed(1)
    blob = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    x = torch.eye(D)[blob] + spread * torch.randn(len(blob), D, generator=g)
    return x / x.norm(dim=1, keepdim=True), blob


def test_typiclust_takes_one_of_each_blob_largest_first_and_no_outlier() -> None:
    x, blob = blobs([30, 10, 20])
    outlier = torch.full((1, D), 1 / D**0.5)
    state = AcquisitionState(torch.cat([x, outlier]), GaussianLogits(torch.zeros(61, 2), torch.zeros(61, 2)), NONE,
                             NONE, NONE)  # fmt: skip
    picks = propose("typiclust", state, 3, torch.Generator().manual_seed(0))
    assert [int(blob[pick.row]) for pick in picks] == [0, 2, 1]
    centre = x[blob == 0].mean(0)
    assert float(x[picks[0].row] @ centre) > float((x[blob == 0] @ centre).median())


def test_typiclust_passes_over_blobs_that_are_labeled_or_pending() -> None:
    x, blob = blobs([30, 10, 20])
    state = AcquisitionState(
        x, GaussianLogits(torch.zeros(60, 2), torch.zeros(60, 2)), torch.tensor([0]), torch.tensor([1]),
        torch.tensor([45]),
    )  # fmt: skip
    picks = propose("typiclust", state, 1, torch.Generator().manual_seed(0))
    assert int(blob[picks[0].row]) == 1


def test_uncertain_strategies_rank_by_their_score() -> None:
    state = pool()
    found = state.uncertainty
    unsure = 1 - found.predictive.amax(1)
    ranked = [
        ("entropy", found.total),
        ("expected-entropy", found.aleatoric),
        ("bald", found.epistemic),
        ("least-confidence", unsure),
    ]
    for strategy, scores in ranked:
        rows = [pick.row for pick in propose(strategy, state, 5, torch.Generator())]
        best = scores[state.candidates].topk(5).indices
        assert rows == state.candidates[best].tolist()


def test_margin_density_goes_where_many_are_uncertain_and_not_to_the_lone_outlier() -> None:
    x, blob = blobs([25, 25, 1])
    mean = torch.zeros(51, 2)
    mean[blob == 0, 0] = 9.0  # the first blob is certain, the second and the lone image are not
    state = AcquisitionState(x, GaussianLogits(mean, torch.zeros(51, 2)), NONE, NONE, NONE)
    picks = propose("margin-density", state, 3, torch.Generator().manual_seed(0))
    assert int(blob[picks[0].row]) == 1


def test_auto_covers_while_nothing_is_known_and_asks_where_in_doubt_afterwards() -> None:
    x, blob = blobs([30, 10, 20])
    nothing = GaussianLogits(torch.zeros(60, 2), torch.zeros(60, 2))
    sure = torch.where(blob[:, None] == torch.tensor([[0, 9]]), 30.0, 0.0)  # of the first blob alone
    before = AcquisitionState(x, nothing, NONE, NONE, NONE)
    after = AcquisitionState(x, GaussianLogits(sure, torch.zeros(60, 2)), NONE, NONE, NONE)
    first, then = (
        propose("auto", state, 1, torch.Generator().manual_seed(0))[0] for state in (before, after)
    )
    assert (first.phase, int(blob[first.row])) == ("coverage", 0)
    assert (then.phase, int(blob[then.row])) == ("uncertainty", 2)


def test_a_large_pool_is_sampled_and_keeps_what_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probal.acquisition.clusters.WINDOW", 40)
    state = pool(n=400, labeled=10)
    picks = propose("typiclust", state, 6, torch.Generator().manual_seed(0))
    assert len({pick.row for pick in picks}) == 6
    assert not {pick.row for pick in picks} & set(state.covered.tolist())
