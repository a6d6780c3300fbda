"""The amplitude after labels predicted from earlier ones were asked: half of the way to theirs, and less where labels
harm the classes that have none."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from probal.adapters import BayesAdapter
from probal.adapters._amplitude import compromise, restrained
from probal.adapters._hyperparameters import log_around
from probal.adapters._later import Later, LaterLabels, weigh
from probal.gaussian import GaussianEmbedding

F64 = torch.float64


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


def many_classes(n: int, classes: int = 200, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """n labeled images and as many new ones of `classes` classes in a narrow cone, with good texts."""
    g = torch.Generator().manual_seed(seed)
    width = 48
    centres = unit(
        1.5 * torch.randn(1, width, generator=g, dtype=F64)
        + torch.randn(classes, width, generator=g, dtype=F64)
    )
    texts = unit(centres + 0.05 * torch.randn(classes, width, generator=g, dtype=F64))
    y = torch.randint(classes, (2 * n,), generator=g)
    x = unit(centres[y] + 0.12 * torch.randn(2 * n, width, generator=g, dtype=F64))
    return x[:n], y[:n], x[n:], y[n:], texts


def scored(x: Tensor, y: Tensor, texts: Tensor, amplitude: float, scale: float = 40.0) -> float:
    return restrained(later_of(x, y, texts, scale), amplitude)


def later_of(x: Tensor, y: Tensor, texts: Tensor, scale: float = 40.0) -> LaterLabels:
    return LaterLabels(scale * x @ texts.T, x @ x.T, y, torch.ones(len(texts), dtype=F64), 4.0)


def test_an_amplitude_that_harms_images_to_come_is_lowered() -> None:
    x, y, new, truth, texts = many_classes(150)
    assert len(y.unique()) < 0.6 * len(texts)
    kept = scored(x, y, texts, 5000.0)
    assert kept <= 5000.0 / 4
    assert loss(x, y, new, truth, texts, kept) < loss(x, y, new, truth, texts, 5000.0) - 0.05


def loss(x: Tensor, y: Tensor, new: Tensor, truth: Tensor, texts: Tensor, amplitude: float) -> float:
    """Of new images, in nats."""
    adapter = BayesAdapter(40.0, fit_scale=False, amplitude=amplitude, sharpness=1.0)
    logits = adapter.fit(x, y, GaussianEmbedding(texts)).logits(new).mean
    return float(torch.nn.functional.cross_entropy(logits, truth))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_nearly_as_good_as_the_best(seed: int) -> None:
    x, y, new, truth, texts = many_classes(150, seed=seed)
    kept = scored(x, y, texts, 5000.0)
    losses = {5000.0 / 2**k: loss(x, y, new, truth, texts, 5000.0 / 2**k) for k in range(15)}
    best = min(losses, key=lambda amplitude: losses[amplitude])
    assert kept <= 4 * best
    assert losses[kept] < losses[best] + 0.04


def test_it_is_the_smallest_within_a_standard_error_of_the_best() -> None:
    x, y, _, _, texts = many_classes(150)
    unseen = 1 - len(y.unique()) / len(texts)
    rows = []
    for k in range(15):
        found = later_of(x, y, texts).at(5000 / 2**k)
        assert found is not None
        right = torch.log_softmax(found.logits, 1)[torch.arange(len(found.labels)), found.labels]
        new = found.weights < 1
        share = unseen * len(new) / int(new.sum())
        assert 0 < share < 1, "new ones are more than their share, and weigh less"
        rows.append(torch.where(new, share * right, right))
    kept = scored(x, y, texts, 5000.0)
    at = round(math.log2(5000.0 / kept))
    best = max(rows[: at + 2], key=lambda row: float(row.sum()))

    def errors_away(row: Tensor) -> float:
        off = best - row
        return float(off.mean() / (off.std() / len(off) ** 0.5)) if bool(off.any()) else 0.0

    assert errors_away(rows[at]) <= min(1.0, 2 * unseen) < errors_away(rows[at + 1])


def test_a_small_amplitude_is_left_alone() -> None:
    x, y, _, _, texts = many_classes(150)
    assert scored(x, y, texts, 1e-3) == 1e-3


def test_where_every_class_has_a_label_nothing_is_restrained() -> None:
    x, y, _, _, texts = many_classes(150)
    seen = y.unique()
    place = torch.full((len(texts),), -1).scatter(0, seen, torch.arange(len(seen)))
    assert scored(x, place[y], texts[seen], 5000.0) == 5000.0


def test_few_labels_cannot_tell() -> None:
    x, y, _, _, texts = many_classes(80)  # 60 of them are predicted
    assert scored(x, y, texts, 5000.0) == 5000.0
    assert scored(x[:0], y[:0], texts, 5000.0) == 5000.0


def test_one_label_a_class_in_order_is_still_learned_from() -> None:
    """All classes but one have a label: later labels are of classes without an earlier one, new images are not."""
    x, y, _, _, texts = many_classes(2000)
    first = torch.stack([(y == c).nonzero()[0, 0] for c in range(len(texts) - 1)])
    assert scored(x[first], y[first], texts, 100.0) == 100.0


@pytest.mark.parametrize("given", [None, 5000.0])
def test_the_adapter_asks_unless_the_amplitude_is_given(
    monkeypatch: pytest.MonkeyPatch, given: float | None
) -> None:
    asked = []

    def watched(_later: LaterLabels, amplitude: float) -> float:
        asked.append(amplitude)
        return amplitude / 16

    monkeypatch.setattr("probal.adapters.bayes_adapter.restrained", watched)
    x, y, _, _, texts = many_classes(150)
    found = BayesAdapter(40.0, amplitude=given).fit(x, y, GaussianEmbedding(texts))
    assert found.amplitude == pytest.approx(5000.0 if given else asked[0] / 16)
    assert len(asked) == (0 if given else 1)
    BayesAdapter(40.0).fit(x, y, GaussianEmbedding(torch.zeros_like(texts)))
    assert len(asked) == (0 if given else 1)


FLAT = partial(log_around, expected=64.0)


def met(
    x: Tensor, y: Tensor, texts: Tensor, amplitude: float, hyperprior: Callable[[float], float] = FLAT
) -> float:
    return compromise(later_of(x, y, texts), amplitude, hyperprior)


@pytest.mark.parametrize("start", [2.0, 30.0, 20000.0])
@pytest.mark.parametrize("bare", [False, True])
def test_the_compromise_is_half_of_the_way_to_what_later_labels_like_best(start: float, bare: bool) -> None:
    x, y, _, _, texts = many_classes(90, classes=12)
    texts = torch.zeros_like(texts) if bare else texts

    def score(amplitude: float) -> float:
        found = later_of(x, y, texts).at(amplitude)
        assert found is not None
        return float(found.weights @ found.log_likelihood()) + FLAT(amplitude)

    best = max((2.0 ** (k / 4) for k in range(-8, 64)), key=score)
    assert best < start / 1.5 or best > 1.5 * start
    assert met(x, y, texts, start) == pytest.approx((start * best) ** 0.5, rel=0.2)


@pytest.mark.parametrize("peak", [0.02, 3.0, 70.0, 4000.0])
def test_the_peak_is_found_between_the_steps(peak: float) -> None:
    """A likelihood whose logarithm is a parabola over log amplitude: the vertex is exact."""

    class LikeliestAtThePeak(LaterLabels):
        def at(self, amplitude: float) -> Later:
            away = math.log(amplitude / peak)
            logits = torch.tensor([[0.0, math.log(math.expm1(0.01 * away**2 + 0.1))]], dtype=F64)
            return Later(logits, torch.tensor([0]), torch.ones(1, dtype=F64))

    x, y, _, _, texts = many_classes(90, classes=12)
    later = LikeliestAtThePeak(40 * x @ texts.T, x @ x.T, y, torch.ones(12, dtype=F64), 4.0)
    assert compromise(later, 8.0, lambda _: 0.0) == pytest.approx((8.0 * peak) ** 0.5)


def test_the_compromise_comes_to_rest() -> None:
    x, y, _, _, texts = many_classes(90, classes=12)
    for start in (0.5, 3000.0):
        amplitude = start
        for _ in range(8):
            amplitude = met(x, y, texts, amplitude)
        assert amplitude == pytest.approx(met(x, y, texts, amplitude), rel=0.5)
        assert 2 < amplitude < 1000


def test_the_compromise_keeps_to_where_the_arithmetic_holds() -> None:
    """At the end of the hyperprior there is only the way back, however much likelier later labels would be."""
    x, y, _, _, texts = many_classes(90, classes=12)
    expected = 0.5 / 4.0**4
    assert log_around(1.0, expected) == -math.inf
    assert log_around(1.0, 4.0**7) == pytest.approx(-0.5 * 7**2)  # further below, where many labels are wrong
    assert log_around(1.0, 4.0**9) == -math.inf
    assert met(x, y, texts, 0.5) > 0.5
    assert met(x, y, texts, 0.5, partial(log_around, expected=expected)) <= 0.5


def test_where_nothing_can_be_asked_the_amplitude_stays() -> None:
    x, y, _, _, texts = many_classes(90, classes=12)
    assert met(x[:0], y[:0], texts, 30.0) == 30.0
    assert met(x[:1], y[:1], texts, 30.0) == 30.0
    order = y.argsort(stable=True)
    assert met(x[order], y[order], texts, 30.0) == 30.0, "sorted by class, nothing is said of images to come"
    assert met(x[:24], y[:24], torch.zeros_like(texts), 30.0) == 30.0, (
        "without a prior two a class only train"
    )


def test_what_later_labels_weigh() -> None:
    """3 of 5 classes have labels; two of four predicted had none before, one of them has no prototype."""
    seen = torch.tensor([True, False, True, False])
    labels, y = torch.tensor([0, 1, 0, 2]), torch.tensor([0, 0, 0, 1, 0, 2])
    offset = torch.ones(6, 5, dtype=F64)
    share = 2 / 5 * 4 / 2
    expected = torch.tensor([1.0, share, 1.0, share], dtype=F64)
    torch.testing.assert_close(weigh(labels, seen, offset, y), expected)
    offset[:, 2] = 0
    expected[3] = 0
    torch.testing.assert_close(weigh(labels, seen, offset, y), expected)


def test_where_a_search_begins_does_not_matter() -> None:
    """Far from the amplitude before, and from nothing: the same predictions."""
    x, y, _, _, texts = many_classes(150, classes=20)
    labels = later_of(x, y, texts)
    for amplitude in (1.0, 4000.0, 20.0):
        again, fresh = labels.at(amplitude), later_of(x, y, texts).at(amplitude)
        assert again is not None
        assert fresh is not None
        torch.testing.assert_close(again.logits, fresh.logits, atol=0.05, rtol=0.02)
        assert torch.equal(again.labels, fresh.labels)


@pytest.mark.parametrize("given", [None, 50.0])
@pytest.mark.parametrize("bare", [False, True])
def test_the_adapter_compromises_unless_the_amplitude_is_given(
    monkeypatch: pytest.MonkeyPatch, given: float | None, bare: bool
) -> None:
    asked = []

    def watched(_later: LaterLabels, amplitude: float, *_: object) -> float:
        asked.append(amplitude)
        return amplitude / 16

    monkeypatch.setattr("probal.adapters.bayes_adapter.compromise", watched)
    x, y, _, _, texts = many_classes(90, classes=12)
    found = BayesAdapter(40.0, amplitude=given).fit(
        x, y, GaussianEmbedding(torch.zeros_like(texts) if bare else texts)
    )
    assert found.amplitude == pytest.approx(given if given else asked[0] / 16)
    assert len(asked) == (0 if given else 1)
