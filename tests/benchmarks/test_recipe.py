"""The paper's recipe is what its code does, and not what the paper writes."""

from itertools import pairwise

import pytest
import torch
from _recipe import (
    LEARNING_RATE,
    PRIOR_DEVIATION,
    WARM_UP_RATE,
    fit_recipe,
    learning_rate,
    papers_kl,
)
from torch.distributions import Normal, kl_divergence

C, D = 4, 6


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_its_kl_lacks_the_half_and_the_constant() -> None:
    g = generator()
    mean, centre = torch.randn(C, D, generator=g).double(), torch.randn(C, D, generator=g).double()
    deviation = 0.05 * torch.rand(C, generator=g).double() + 0.001
    true = kl_divergence(Normal(mean, deviation[:, None].expand(C, D)), Normal(centre, PRIOR_DEVIATION)).sum()
    assert float(papers_kl(mean, deviation, centre)) == pytest.approx(2 * float(true) + C * D)


def test_the_schedule_is_claps() -> None:
    rates = [learning_rate(epoch, 300) for epoch in range(300)]
    assert rates[0] == WARM_UP_RATE
    assert rates[1] == pytest.approx(LEARNING_RATE, rel=1e-3)
    assert all(later < earlier for earlier, later in pairwise(rates[1:]))
    assert rates[150] == pytest.approx(LEARNING_RATE / 2)


@pytest.mark.parametrize("text", [True, False])
def test_it_learns_and_a_missing_class_stays_finite(text: bool) -> None:
    g = generator(1)
    centres = torch.nn.functional.normalize(torch.randn(C, D, generator=g), dim=1)
    y = torch.arange(60) % (C - 1)
    x = torch.nn.functional.normalize(centres[y] + 0.2 * torch.randn(60, D, generator=g), dim=1)
    prototypes = torch.nn.functional.normalize(torch.randn(C, D, generator=g), dim=1)  # useless
    prototypes = prototypes if text else torch.zeros(C, D)

    def loss(epochs: int) -> float:
        posterior = fit_recipe(x, y, prototypes, 30.0, generator(2), epochs)
        probs = posterior.predictive(x, generator(3))
        assert probs.shape == (60, C)
        assert (posterior.deviation > 0).all()
        return float(torch.nn.functional.nll_loss(probs.log(), y))

    assert loss(60) < 0.5 * loss(1)
