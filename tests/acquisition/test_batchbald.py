"""BatchBALD against the joint entropy written out, and the redundancy that it must see."""

import itertools
from importlib import import_module

import pytest
import torch
from torch import Tensor

from probal.acquisition import AcquisitionState, propose
from probal.acquisition.batchbald import conditional_bald, configurations, greedy
from probal.gaussian import GaussianLogits
from tests.acquisition.conformance import NONE, D

F64 = torch.float64
K, C = 24, 3


def draws(n: int, seed: int = 0, spread: float = 1.5) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=g, dtype=F64)
    return torch.einsum("nd,kcd->nkc", x, spread * torch.randn(K, C, 4, generator=g, dtype=F64)).softmax(2)


def batch_information(probs: Tensor) -> float:
    """I(y_1..b; θ) = H(y_1..b) − mean_k Σ_i H(p_ik), over all C^b configurations one by one."""
    joint = torch.stack(
        [
            torch.stack([probs[i, :, c] for i, c in enumerate(labels)]).prod(0).mean()
            for labels in itertools.product(range(C), repeat=len(probs))
        ]
    )
    return float(torch.special.entr(joint).sum() - torch.special.entr(probs).sum((0, 2)).mean())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_one_pick_is_bald() -> None:
    probs = draws(9)
    bald = torch.special.entr(probs.mean(1)).sum(1) - torch.special.entr(probs).sum(2).mean(1)
    torch.testing.assert_close(conditional_bald(probs, *configurations(probs[:0], 10, seeded())), bald)
    assert greedy(probs, 1, seeded()) == [(int(bald.argmax()), pytest.approx(float(bald.max())))]


@pytest.mark.parametrize("spread", [1.5, 60.0])
def test_gains_add_up_to_the_batchs_information(spread: float) -> None:
    """Also with probabilities of exactly zero, whose p log p must be 0."""
    probs = draws(8, spread=spread)
    if spread > 10:
        probs = torch.where(probs < 1e-6, 0, probs)
        probs = probs / probs.sum(2, keepdim=True)
        assert bool((probs == 0).any())
    picks = greedy(probs, 4, seeded())
    for b in range(1, 5):
        found = sum(gain for _, gain in picks[:b])
        assert found == pytest.approx(batch_information(probs[[at for at, _ in picks[:b]]]), abs=1e-9)


def test_lazy_greedy_is_exhaustive_greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("probal.acquisition.batchbald"), "_BLOCK", 2)
    probs = draws(15)
    lazy = [at for at, _ in greedy(probs, 4, seeded())]
    chosen: list[int] = []
    for _ in range(4):
        left = [i for i in range(15) if i not in chosen]
        chosen.append(max(left, key=lambda i: batch_information(probs[[*chosen, i]])))
    assert lazy == chosen


def test_drawn_configurations_estimate_what_all_of_them_give() -> None:
    probs = draws(10)
    exact = conditional_bald(probs[4:], *configurations(probs[:4], C**4, seeded()))
    drawn = torch.stack(
        [conditional_bald(probs[4:], *configurations(probs[:4], 80, seeded(s))) for s in range(30)]
    )
    error = (drawn.mean(0) - exact) / (drawn.std(0) / 30**0.5)
    assert error.abs().max() < 4
    assert (drawn >= 0).all()


def test_a_twin_tells_nothing_twice_and_neither_does_a_pending_images_twin() -> None:
    g = seeded(1)
    x = torch.randn(12, D, generator=g)
    x[1] = x[0]
    x = x / x.norm(dim=1, keepdim=True)
    var = torch.full((12, 4), 5.0)
    var[:2] = 7.0  # the twins are the two of the highest BALD
    logits = GaussianLogits(torch.zeros(12, 4), var)
    state = AcquisitionState(x, logits, NONE, NONE, NONE)
    assert {pick.row for pick in propose("bald", state, 2, seeded())} == {0, 1}
    assert len({pick.row for pick in propose("batchbald", state, 2, seeded())} & {0, 1}) == 1
    waiting = AcquisitionState(x, logits, NONE, NONE, torch.tensor([0]))
    assert propose("batchbald", waiting, 1, seeded())[0].row != 1
