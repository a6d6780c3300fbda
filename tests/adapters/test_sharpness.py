"""How sharp predictions should be: known miscalibrations are found, and nothing else about the model changes."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from probal.adapters import BayesAdapter, VariationalAdapter, fingerprint
from probal.adapters._later import LaterLabels, _centred
from probal.adapters._sharpness import choose_sharpness
from probal.gaussian import GaussianEmbedding

D, C = 12, 5
ONES = torch.ones(C, dtype=torch.float64)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


def asked(offset: Tensor, gram: Tensor, y: Tensor, gains: Tensor, centre_labels: float | None) -> float:
    return choose_sharpness(LaterLabels(offset, gram, y, gains, centre_labels).at(1.0))


def drawn(n: int, truth: float, seed: int = 0) -> tuple[Tensor, Tensor, GaussianEmbedding]:
    """Labels from the softmax of `truth` times the cosines to the prototypes."""
    g = seeded(0)
    prior = unit(torch.randn(C, D, generator=g, dtype=torch.float64))
    g = seeded(seed + 1)
    x = unit(torch.randn(n, D, generator=g, dtype=torch.float64))
    y = torch.multinomial(torch.softmax(truth * x @ prior.T, 1), 1, generator=g).squeeze(1)
    return x, y, GaussianEmbedding(prior)


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_a_known_miscalibration_is_found(factor: float) -> None:
    x, y, prior = drawn(1200, 6.0)
    offset = 6.0 / factor * x @ prior.mean.T  # what labels say changes nothing: the kernel is all but zero
    found = asked(offset, 1e-6 * x @ x.T, y, ONES, None)
    assert found == pytest.approx(factor, rel=0.12)


def test_few_labels_move_it_little_and_none_not_at_all() -> None:
    x, y, prior = drawn(12, 30.0)
    offset = 2.0 * x @ prior.mean.T
    found = asked(offset, x @ x.T, y, ONES, 4.0)
    assert 1 < found < 1.3
    for n in (0, 1):
        assert asked(offset[:n], (x @ x.T)[:n, :n], y[:n], ONES, 4.0) == 1


def test_without_a_prior_two_labels_a_class_only_train() -> None:
    x, y, _ = drawn(2 * C, 30.0)
    assert asked(torch.zeros(2 * C, C, dtype=torch.float64), x @ x.T, y, ONES, 4.0) == 1


def test_labels_sorted_by_class_are_not_asked() -> None:
    x, y, prior = drawn(200, 30.0)
    order = y.argsort(stable=True)
    offset = 2.0 * x @ prior.mean.T
    assert asked(offset, x @ x.T, y, ONES, None) > 1.1
    x, y, offset = x[order], y[order], offset[order]
    assert asked(offset, x @ x.T, y, ONES, None) == 1


def test_the_centre_of_the_earlier_rows_is_taken_out() -> None:
    x = drawn(9, 1.0)[0]
    centre = x[:6].sum(0) / (6 + 4)
    got = _centred((x @ x.T)[:, :6], 4.0)
    torch.testing.assert_close(got, (x - centre) @ (x[:6] - centre).T)


def test_it_asks_what_a_model_of_the_earlier_labels_says() -> None:
    """With two groups' worth of labels the score is that of refitted adapters, centre and all."""
    x, y, prior = drawn(40, 9.0)
    offset = 3.0 * x @ prior.mean.T
    cuts = [10, 15, 20, 25, 30, 35, 40]
    logits, labels = [], []
    for at, end in pairwise(cuts):
        adapter = BayesAdapter(3.0, fit_scale=False, amplitude=7.0, temperature=1.0, sharpness=1.0)
        logits.append(adapter.fit(x[:at], y[:at], prior).logits(x[at:end]).mean)
        labels.append(y[at:end])
    stacked, told = torch.cat(logits), torch.cat(labels)

    def score(s: float) -> float:
        likelihood = torch.log_softmax(s * stacked, 1).gather(1, told[:, None]).sum()
        return float(likelihood) - 0.5 * (math.log(s) / 0.2) ** 2

    found = asked(offset, 7.0 * x @ x.T, y, ONES, 4.0)
    best = max((0.5 + 0.01 * k for k in range(150)), key=score)
    assert found == pytest.approx(best, abs=0.02)


@pytest.mark.parametrize("kind", [BayesAdapter, VariationalAdapter])
def test_it_multiplies_all_logits_and_changes_no_decision(
    kind: type[BayesAdapter] | type[VariationalAdapter],
) -> None:
    x, y, prior = drawn(30, 9.0)
    images = drawn(200, 9.0, seed=1)[0]
    plain, sharp = (
        kind(3.0, fit_scale=False, amplitude=7.0, temperature=0.1, sharpness=s).fit(x, y, prior)
        for s in (1.0, 1.5)
    )
    a, b = plain.logits(images), sharp.logits(images)
    torch.testing.assert_close(b.mean, 1.5 * a.mean)
    torch.testing.assert_close(b.variance(), 1.5**2 * a.variance())
    assert torch.equal(a.mean.argmax(1), b.mean.argmax(1))
    one, two = (each.joint(images, 3, seeded(2)) for each in (plain, sharp))
    torch.testing.assert_close(two, 1.5 * one)


@pytest.mark.parametrize("kind", [BayesAdapter, VariationalAdapter])
def test_fits_choose_it_and_hand_it_on(kind: type[BayesAdapter] | type[VariationalAdapter]) -> None:
    x, y, prior = drawn(60, 30.0)
    first = kind(3.0, fit_scale=False, amplitude=7.0).fit(x, y, prior)
    assert first.sharpness > 1.1
    assert first.hyperparameters()["sharpness"] == first.sharpness
    assert float(first.tensors()["hyperparameters"][3]) == first.sharpness
    again = kind(3.0, fit_scale=False, amplitude=7.0).fit(x, y, prior)
    assert fingerprint(first) == fingerprint(again)


@pytest.mark.parametrize("bare", [False, True])
def test_one_class_and_duplicates_do_no_harm(bare: bool) -> None:
    x, _, prior = drawn(40, 9.0)
    prior = GaussianEmbedding(torch.zeros_like(prior.mean)) if bare else prior
    for rows, y in (
        (x, torch.zeros(40, dtype=torch.int64)),
        (x[:2].repeat(20, 1), torch.arange(40) % 2),
        (x[:1].expand(40, -1), torch.arange(40) % C),
    ):
        posterior = BayesAdapter(3.0).fit(rows, y, prior)
        assert 0.3 < posterior.sharpness < 3
        assert torch.isfinite(posterior.logits(x).predictive()).all()


def test_doubt_about_chosen_labels_does_not_spread_to_all_images() -> None:
    """Each label far from the others and of random class: leave-one-out would have any spread; it stays below one."""
    x = torch.eye(40, dtype=torch.float64)
    y = torch.randint(0, C, (40,), generator=seeded(3))
    posterior = BayesAdapter(3.0, amplitude=400.0).fit(x, y, GaussianEmbedding(torch.zeros(C, 40).double()))
    new = unit(torch.ones(1, 40, dtype=torch.float64))
    assert float(posterior.logits(new).variance().max()) < 1
