"""EPIG: its two forms, what shared θ is worth, its bounds, and the strategy."""

import importlib
import math

import pytest
import torch
from torch import Tensor

from probal.acquisition import AcquisitionState, Target, epig, propose
from probal.acquisition.epig import epig_shortlist
from probal.adapters import BayesAdapter
from probal.gaussian import GaussianEmbedding, GaussianLogits
from tests.acquisition.conformance import NONE, C, D, pool

F64 = torch.float64
epig_module = importlib.import_module("probal.acquisition.epig")  # the package's `epig` is the function


def shared_draws(n: int, k: int, seed: int, spread: float = 1.0, c: int = C) -> Tensor:
    """Probabilities [n,K,C] of n images under K common weights."""
    x = torch.randn(n, D, generator=torch.Generator().manual_seed(99), dtype=F64)
    x = x / x.norm(dim=1, keepdim=True)
    theta = spread * torch.randn(k, c, D, generator=torch.Generator().manual_seed(seed), dtype=F64)
    return torch.einsum("nd,kcd->nkc", x, theta).softmax(2)


def permuted(probs: Tensor, seed: int) -> Tensor:
    """The same draws of each image in an order of its own."""
    g = torch.Generator().manual_seed(seed)
    return torch.stack([each[torch.randperm(len(each), generator=g)] for each in probs])


def mutual_information(pool_probs: Tensor, target_probs: Tensor) -> Tensor:
    """Σ p(y, y*) log p(y, y*) / (p(y) p(y*)), written out: the other form."""
    joint = torch.einsum("pkc,tkd->ptcd", pool_probs, target_probs) / pool_probs.shape[1]
    apart = pool_probs.mean(1)[:, None, :, None] * target_probs.mean(1)[None, :, None, :]
    return (torch.xlogy(joint, joint) - torch.xlogy(joint, apart)).sum((2, 3)).mean(1)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 40.0])
def test_both_forms_agree_also_at_probabilities_of_zero(spread: float) -> None:
    probs = shared_draws(12, 30, 0, spread)
    if spread > 1:
        probs = torch.where(probs < 1e-3, 0, probs)
        probs = probs / probs.sum(2, keepdim=True)
        assert bool((probs == 0).any())
    torch.testing.assert_close(
        epig(probs[:5], probs[5:]), mutual_information(probs[:5], probs[5:]), atol=1e-12, rtol=1e-6
    )


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    probs = shared_draws(40, 16, 0)
    whole = epig(probs[:23], probs[23:])
    monkeypatch.setattr(epig_module, "_BLOCK_ELEMENTS", 3 * C * C)
    torch.testing.assert_close(epig(probs[:23], probs[23:]), whole)


def test_shared_theta_is_five_standard_errors_above_permuted_theta() -> None:
    shared, apart = [], []
    for seed in range(8):
        probs = shared_draws(30, 256, seed)
        shared.append(epig(probs[:20], probs[20:]).mean())
        apart.append(epig(permuted(probs, seed)[:20], probs[20:]).mean())
    difference = torch.stack(shared) - torch.stack(apart)
    assert float(difference.mean()) > 5 * float(difference.std()) / 8**0.5
    assert float(torch.stack(shared).mean()) > 2 * float(torch.stack(apart).mean())


def test_independent_draws_are_noise_that_falls_as_one_over_k() -> None:
    def noise(k: int) -> float:
        found = [
            epig(permuted(shared_draws(30, k, s), s)[:20], shared_draws(30, k, s)[20:]) for s in range(6)
        ]
        return float(torch.stack(found).mean())

    few, many = noise(64), noise(512)
    assert few / many == pytest.approx(8, rel=0.15)
    truth = epig(shared_draws(30, 4096, 0)[:20], shared_draws(30, 4096, 0)[20:]).mean()
    assert many < float(truth) / 4


def test_one_noise_for_pool_and_target_of_different_images_is_no_information() -> None:
    """Defect: both sampled from the same seed. Here only θ is common, so unrelated weights give nothing."""
    k = 2048
    theta = torch.randn(2, k, C, generator=torch.Generator().manual_seed(0), dtype=F64)
    unrelated, same = theta[:1].softmax(2), theta[1:].softmax(2)
    assert float(epig(unrelated, same)) < 0.05 * float(epig(same, same))


def test_it_lies_between_zero_and_bald_of_the_draws() -> None:
    for spread in (0.01, 1.0, 30.0):
        probs = shared_draws(30, 64, 1, spread)
        mean = torch.special.entr(probs.mean(1)).sum(1)
        information = mean - torch.special.entr(probs).sum(2).mean(1)
        score = epig(probs[:20], probs[20:])
        assert (score >= 0).all()
        assert (score <= information[:20] + 1e-12).all()
        assert (score <= math.log(C)).all()


def test_float32_draws_rank_like_float64_where_the_posterior_is_tight() -> None:
    """Defect: half precision, whose ranks have nothing to do with the scores at small posterior scale."""
    probs = shared_draws(60, 64, 2, 0.05)
    exact = mutual_information(probs[:40], probs[40:])

    def rank_correlation(found: Tensor) -> float:
        ranks = torch.stack([each.argsort().argsort().double() for each in (exact, found)])
        return float(torch.corrcoef(ranks)[0, 1])

    single = epig(probs[:40].float(), probs[40:].float())
    assert single.dtype == torch.float32
    assert rank_correlation(single) > 0.99
    assert rank_correlation(mutual_information(probs[:40].half(), probs[40:].half())) < 0.5


def test_what_is_no_probability_is_refused() -> None:
    probs = shared_draws(4, 8, 0)
    with pytest.raises(ValueError, match=r"\[Np, K, C\]"):
        epig(probs, probs[:, :5])
    with pytest.raises(ValueError, match="sum to 1"):
        epig(2 * probs, probs)
    with pytest.raises(ValueError, match="at least one target"):
        epig(probs, probs[:0])
    with pytest.raises(FloatingPointError, match="not finite"):
        epig(probs, probs.log() * torch.nan)
    assert epig(probs[:0], probs).shape == (0,)


def aimed() -> tuple[AcquisitionState, Target]:
    """Two regions of a pool, both unknown, and a target that lies in the second."""
    g = torch.Generator().manual_seed(0)
    x = torch.eye(D)[torch.arange(40) // 20] + 0.05 * torch.randn(40, D, generator=g)
    x = x / x.norm(dim=1, keepdim=True)
    var = torch.full((40, C), 4.0)
    state = AcquisitionState(x, GaussianLogits(torch.zeros(40, C), var), NONE, NONE, NONE)
    return state, Target(x[25:35], GaussianLogits(torch.zeros(10, C), var[25:35]))


def test_the_strategy_labels_what_tells_about_the_target() -> None:
    state, target = aimed()
    targeted = AcquisitionState(
        state.embeddings, state.logits, state.labeled, state.labels, state.pending, target=target
    )
    picks = propose("epig", targeted, 10, torch.Generator().manual_seed(0))
    assert all(pick.row >= 20 for pick in picks)
    assert [pick.score for pick in picks] == sorted((pick.score for pick in picks), reverse=True)


def test_a_posterior_that_has_joint_draws_is_asked_for_them() -> None:
    state, _ = aimed()
    theta = torch.randn(128, C, D, generator=torch.Generator().manual_seed(1))
    asked = []

    def joint(x: Tensor, n_samples: int, generator: torch.Generator) -> Tensor:
        asked.append((len(x), n_samples))
        return 3 * torch.einsum("nd,kcd->nkc", x, theta[:n_samples])

    own = AcquisitionState(state.embeddings, state.logits, NONE, NONE, NONE, joint=joint)
    picks = propose("epig", own, 3, torch.Generator().manual_seed(0))
    assert asked == [(80, 128)]  # candidates and target at once: one θ
    probs = (3 * torch.einsum("nd,kcd->nkc", state.embeddings, theta)).softmax(2)
    best = epig(probs, probs).topk(3)
    assert {pick.row for pick in picks} == set(best.indices.tolist())


def test_the_adapters_joint_draws_carry_information_between_images() -> None:
    """Defect: logits drawn for each image by itself, on the posterior that the product uses."""
    g = torch.Generator().manual_seed(0)
    centres = torch.randn(C, D, generator=g, dtype=F64)
    y = torch.arange(60) % C
    x = centres[y] + 1.5 * torch.randn(60, D, generator=g, dtype=F64)
    x = x / x.norm(dim=1, keepdim=True)
    adapter = BayesAdapter(5.0, fit_scale=False, amplitude=20.0, temperature=1.0)
    posterior = adapter.fit(x[:8], y[:8], GaussianEmbedding(torch.zeros(C, D, dtype=F64)))
    gains = []
    for seed in range(8):
        probs = posterior.joint(x[8:], 256, torch.Generator().manual_seed(seed)).softmax(2)
        alone = posterior.logits(x[8:]).sample(256, torch.Generator().manual_seed(seed)).softmax(2)
        gains.append(epig(probs[:30], probs[30:]).mean() - epig(alone[:30], alone[30:]).mean())
    difference = torch.stack(gains)
    assert float(difference.mean()) > 5 * float(difference.std()) / 8**0.5


def test_labels_are_not_looked_at_while_selecting() -> None:
    """Defect: true labels entered the selection. The only ones a strategy can see are those of the state."""
    state = pool()
    other = AcquisitionState(
        state.embeddings, state.logits, state.labeled, (state.labels + 1) % C, state.pending
    )
    first, second = (propose("epig", s, 6, torch.Generator().manual_seed(0)) for s in (state, other))
    assert first == second


def test_a_proposal_leaves_the_state_as_it_was() -> None:
    """Defect: the caller's model was changed by the first strategy, and the next one inherited it."""
    state = pool()
    kept = [t.clone() for t in (state.embeddings, state.logits.mean, state.logits.var, state.pending)]
    alone = propose("bald", pool(), 6, torch.Generator().manual_seed(0))
    propose("epig", state, 6, torch.Generator().manual_seed(0))
    assert propose("bald", state, 6, torch.Generator().manual_seed(0)) == alone
    for before, now in zip(
        kept, (state.embeddings, state.logits.mean, state.logits.var, state.pending), strict=True
    ):
        assert torch.equal(before, now)


def test_the_shortlist_follows_bald_and_keeps_enough_for_a_batch() -> None:
    bald = torch.tensor([0.1, 0.4, 0.2, 0.3])
    assert epig_shortlist(bald, 10, 10, 3, 1).tolist() == [1, 3, 2, 0]
    assert len(epig_shortlist(torch.rand(500), 100, 128, 2000, 5)) == 20
    assert len(epig_shortlist(torch.rand(50_000), 1, 128, 10, 5)) == 2**24 // 1280
