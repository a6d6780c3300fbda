"""The control variate against many nodes, against few plain ones, and where nothing is left to correct."""

import math

import pytest
import torch
from torch import Tensor

from probal.acquisition import AcquisitionState, bald, bald_controlled, propose
from probal.gaussian import GaussianLogits

F64 = torch.float64


def pooled(deviation: float, c: int = 100, n: int = 300, own: float = 0.1) -> GaussianLogits:
    g = torch.Generator().manual_seed(0)
    mean = 3 * torch.randn(n, c, generator=g, dtype=F64)
    factor = deviation * torch.randn(c, 7, generator=g, dtype=F64) / 7**0.5
    var = own * deviation**2 * torch.rand(n, c, generator=g, dtype=F64)
    return GaussianLogits(mean, var, 0.5 + torch.rand(n, generator=g, dtype=F64), factor)


def rank_correlation(a: Tensor, b: Tensor) -> float:
    ranks = torch.stack([a.argsort().argsort().double(), b.argsort().argsort().double()])
    return float(torch.corrcoef(ranks)[0, 1])


@pytest.mark.parametrize(("deviation", "rank"), [(0.1, 0.999), (0.3, 0.998), (0.7, 0.98), (1.0, 0.96)])
def test_sixteen_nodes_rank_better_than_plain_ones(deviation: float, rank: float) -> None:
    z = pooled(deviation)
    truth = bald(z, n_samples=2048)
    found = rank_correlation(bald_controlled(z), truth)
    assert found > rank
    assert found > rank_correlation(bald(z, n_samples=16), truth) + 0.01


def test_it_chooses_what_the_strategy_bald_chooses() -> None:
    z = pooled(0.3, n=1500)
    x = torch.nn.functional.normalize(torch.randn(1500, 4, generator=torch.Generator().manual_seed(1)))
    none = torch.empty(0, dtype=torch.int64)
    state = AcquisitionState(x, z, none, none, none)
    picks = [pick.row for pick in propose("bald", state, 100, torch.Generator())]
    quick = bald_controlled(z)
    assert rank_correlation(quick, state.uncertainty.epistemic) > 0.99
    assert len(set(picks) & set(quick.topk(100).indices.tolist())) > 85


def test_it_tends_to_bald_as_nodes_are_added() -> None:
    z = pooled(1.0, c=5, n=40)
    torch.testing.assert_close(bald_controlled(z, 4096), bald(z, n_samples=8192), atol=4e-3, rtol=0.01)


def test_float32_ranks_like_float64() -> None:
    z = pooled(0.1)
    single = bald_controlled(z.to(torch.float32))
    assert single.dtype == torch.float32
    assert rank_correlation(single, bald_controlled(z)) > 0.999


def test_without_variance_nothing_is_epistemic_and_a_common_shift_is_none() -> None:
    z = pooled(1.0, n=6)
    still = GaussianLogits(z.mean, torch.zeros_like(z.mean))
    torch.testing.assert_close(bald_controlled(still), torch.zeros(6, dtype=F64))
    shift = GaussianLogits(
        z.mean, torch.zeros_like(z.mean), torch.ones(6, dtype=F64), torch.ones(100, 1, dtype=F64)
    )
    torch.testing.assert_close(bald_controlled(shift), torch.zeros(6, dtype=F64))


@pytest.mark.parametrize("deviation", [0.01, 1.0, 30.0])
def test_bounds(deviation: float) -> None:
    for c in (2, 3, 40):
        score = bald_controlled(pooled(deviation, c=c))
        assert (score >= 0).all()
        assert (score <= math.log(c) + 1e-12).all()


def test_it_repeats_and_refuses_what_it_cannot_pair() -> None:
    z = pooled(1.0, n=4)
    assert torch.equal(bald_controlled(z), bald_controlled(z))
    assert not torch.equal(bald_controlled(z), bald_controlled(z, generator=torch.Generator().manual_seed(1)))
    assert bald_controlled(z.rows([])).shape == (0,)
    with pytest.raises(ValueError, match="even"):
        bald_controlled(z, 7)
    z.mean[2, 1] = math.nan
    with pytest.raises(FloatingPointError, match="not finite"):
        bald_controlled(z)
