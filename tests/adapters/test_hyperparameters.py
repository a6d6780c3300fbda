"""What BayesAdapter chooses by leave-one-out against deleting each label, and where its search begins."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from probal.adapters import BayesAdapter, LaplacePosterior, _hyperparameters, _softmax_gp
from probal.adapters._leave_one_out import question_weights
from probal.gaussian import GaussianEmbedding, GaussianLogits
from tests.adapters.test_bayes_adapter import unit

C, D = 3, 8
TEMPERATURES = [4.0**-k for k in range(10)]


def drawn(n: int, noise: float, wrong: float) -> tuple[Tensor, Tensor, GaussianEmbedding]:
    """Images around the prototypes; of the labels a share `wrong` is another class's."""
    g = torch.Generator().manual_seed(0)
    centres = unit(torch.randn(C, D, generator=g, dtype=torch.float64))
    y = torch.arange(n) % C
    x = unit(centres[y] + noise * torch.randn(n, D, generator=g, dtype=torch.float64) / D**0.5)
    return x, torch.where(torch.rand(n, generator=g) < wrong, (y + 1) % C, y), GaussianEmbedding(centres)


def by_deleting(x: Tensor, y: Tensor, prior: GaussianEmbedding, scale: float, amplitude: float) -> float:
    """The temperature of `choose_temperature` from n fits without one label, its predictive integrated."""
    adapter = BayesAdapter(
        scale, fit_scale=False, amplitude=amplitude, temperature=1.0, centre=False, sharpness=1.0
    )
    scores, spread = torch.zeros(len(TEMPERATURES), dtype=torch.float64), []
    for i in range(len(x)):
        keep = torch.arange(len(x)) != i
        z = adapter.fit(x[keep], y[keep], prior).logits(x[i : i + 1])
        assert z.gain is not None
        spread.append(z.variance()[0])
        for k, t in enumerate(TEMPERATURES):
            at = GaussianLogits(z.mean, t * z.var, t * z.gain, z.factor)
            scores[k] += at.integrate(1024)[0][0, y[i]].log()
    weights = scores.softmax(0).tolist()
    chosen = math.exp(sum(w * math.log(t) for w, t in zip(weights, TEMPERATURES, strict=True)))
    return min(chosen, 0.5 / max(float(torch.stack(spread).median()), 0.5))


@pytest.mark.parametrize(
    ("wrong", "noise", "scale", "amplitude", "least", "most"),
    [
        (0.5, 0.3, 15.0, 0.5, 0.5, 1.0),  # sure of the prior, and half of the labels contradict it
        (0.0, 0.6, 3.0, 400.0, 1e-5, 5e-4),  # every label is as predicted, and the variance is wide
    ],
)
def test_the_temperature_is_that_of_deleting_each_label(
    wrong: float, noise: float, scale: float, amplitude: float, least: float, most: float
) -> None:
    x, y, prior = drawn(36, noise, wrong)
    adapter = BayesAdapter(scale, fit_scale=False, amplitude=amplitude, centre=False, sharpness=1.0)
    found = adapter.fit(x, y, prior).temperature
    assert least < found <= most
    assert found == pytest.approx(by_deleting(x, y, prior, scale, amplitude), rel=0.6)


class Watched:
    """Points that the search looked at and Newton steps taken, in one fit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.points: list[dict[str, float]] = []
        self.steps = 0
        objective, newton = _hyperparameters._Search.objective, _softmax_gp._solve_newton

        def looked_at(search: Any, at: dict[str, float]) -> float:
            self.points.append({name: math.exp(value) for name, value in at.items()})
            return objective(search, at)

        def step(*arguments: Any) -> Any:
            self.steps += 1
            return newton(*arguments)

        monkeypatch.setattr(_hyperparameters._Search, "objective", looked_at)
        monkeypatch.setattr(_softmax_gp, "_solve_newton", step)

    def of(self, fit: Callable[[], LaplacePosterior]) -> tuple[list[dict[str, float]], int]:
        self.points, self.steps = [], 0
        fit()
        return self.points, self.steps


def test_a_warm_start_searches_from_the_last_answer_in_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, prior = drawn(90, 2.0, 0.1)
    adapter = BayesAdapter(15.0)
    before = adapter.fit(x[:80], y[:80], prior)
    watched = Watched(monkeypatch)
    cold, cold_steps = watched.of(lambda: adapter.fit(x, y, prior))
    warm, warm_steps = watched.of(lambda: adapter.fit(x, y, prior, before.tensors()))
    assert warm[0] == pytest.approx({"scale": before.scale, "amplitude": before.amplitude})
    assert cold[0]["scale"] == pytest.approx(15)
    assert warm[0] != pytest.approx(cold[0], rel=0.1)
    assert len(warm) < len(cold)
    assert warm_steps < 0.8 * cold_steps


def test_the_mode_begins_at_the_last_representer_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same labels and hyperparameters there is next to nothing left to do."""
    x, y, prior = drawn(60, 2.0, 0.1)
    adapter = BayesAdapter(15.0)
    before = adapter.fit(x, y, prior)
    begun = []
    find_mode = _hyperparameters.find_mode

    def mode(*arguments: Any) -> Any:
        begun.append(arguments[3])
        return find_mode(*arguments)

    monkeypatch.setattr(_hyperparameters, "find_mode", mode)
    adapter.fit(x, y, prior, before.tensors())
    left = torch.nn.functional.one_hot(y, C) - before.probs
    torch.testing.assert_close(begun[0].double(), left, atol=1e-4, rtol=0)


def questions(labels: list[int], classes: int, texts: bool = True) -> list[float]:
    zero_shot = torch.full((len(labels), classes), 0.5 if texts else 0.0)
    return question_weights(zero_shot, torch.tensor(labels, dtype=torch.int64)).tolist()


def test_only_labels_count_for_the_classes_that_have_none() -> None:
    assert questions([0, 1, 2], 3) == [0, 0, 0]  # every class has a label
    assert questions([0, 1, 2], 6) == pytest.approx([0.5] * 3)  # half have none: 1.5 images, by three labels
    assert questions([0, 0, 0, 1], 8) == [1, 1, 1, 1]  # 3 images, of which one can speak
    assert questions([0, 0, 1, 1, 2], 3) == [1, 1, 1, 1, 1]  # most of the labels have others of their class
    assert questions([0, 1, 2, 3, 4, 4], 5) == pytest.approx([0.5] * 4 + [1, 1])  # two labels do
    assert questions([0, 0, 1], 3, texts=False) == [1, 1, 0]  # nobody could predict it
    assert questions([], 3) == []
    without = torch.tensor([[0.5, 0.0], [0.5, 0.0], [0.5, 0.0]])  # the second class has no text
    assert question_weights(without, torch.tensor([0, 0, 1])).tolist() == [1, 1, 0]


def test_one_label_for_each_class_is_learned_from() -> None:
    """Left out one by one, such labels say no more than that those of the other classes do harm."""
    classes = 60
    g = torch.Generator().manual_seed(3)
    centres = unit(torch.randn(classes, 64, generator=g, dtype=torch.float64))
    texts = unit(centres + 2 * torch.randn(classes, 64, generator=g, dtype=torch.float64) / 8)
    y = torch.arange(classes)
    x, new = (
        unit(centres + torch.randn(classes, 64, generator=g, dtype=torch.float64) / 8) for _ in range(2)
    )
    found = BayesAdapter(15.0).fit(x, y, GaussianEmbedding(texts))
    assert found.amplitude == pytest.approx(_hyperparameters.AMPLITUDE[1])
    before = BayesAdapter(15.0).fit(x[:0], y[:0], GaussianEmbedding(texts))
    right = [float((p.logits(new).mean.argmax(1) == y).double().mean()) for p in (before, found)]
    assert right[1] > right[0] + 0.1


def test_one_label_for_each_class_still_tells_how_far_to_trust_the_texts() -> None:
    g = torch.Generator().manual_seed(4)
    centres = unit(torch.randn(20, 64, generator=g, dtype=torch.float64))
    y, prior = torch.arange(20), GaussianEmbedding(centres)
    right = BayesAdapter(15.0).fit(centres, y, prior).scale
    wrong = BayesAdapter(15.0).fit(centres, y.roll(1), prior).scale
    assert wrong < 15 < right


@pytest.mark.parametrize("warm", [False, True])
def test_labels_of_which_many_are_wrong_teach_little(warm: bool) -> None:
    """Below where the search for clean labels ends, and better for images to come than at that end."""
    g = torch.Generator().manual_seed(0)
    classes, width, n = 6, 48, 150
    centres = unit(torch.randn(classes, width, generator=g, dtype=torch.float64))
    y = torch.randint(0, classes, (600,), generator=g)
    x = unit(centres[y] + 0.8 * torch.randn(600, width, generator=g, dtype=torch.float64) / width**0.5)
    told = torch.where(torch.rand(n, generator=g) < 0.4, torch.randint(0, classes, (n,), generator=g), y[:n])
    none = GaussianEmbedding(torch.zeros(classes, width, dtype=torch.float64))
    edge = _hyperparameters.AMPLITUDE_BARE[1] / 4.0**4
    adapter = BayesAdapter(15.0)
    start = adapter.fit(x[: n - 10], told[: n - 10], none).tensors() if warm else None
    found = adapter.fit(x[:n], told, none, start)
    at_the_end = BayesAdapter(15.0, amplitude=edge).fit(x[:n], told, none)
    assert edge / 4.0**4 < found.amplitude < edge

    def loss(posterior: LaplacePosterior) -> float:
        return -float(posterior.logits(x[n:]).predictive().log().gather(1, y[n:, None]).mean())

    assert loss(found) < loss(at_the_end)


@pytest.mark.parametrize("texts", [True, False])
def test_the_search_keeps_to_where_the_arithmetic_holds(monkeypatch: pytest.MonkeyPatch, texts: bool) -> None:
    """Labels told apart without an error want any amplitude: rounding then made the factors fail."""
    x, y, prior = drawn(60, 0.2, 0.0)
    bare = GaussianEmbedding(torch.zeros_like(prior.mean))

    def ever_better(gram: Tensor, *_: Any) -> Tensor:
        return 1000 * gram.diagonal().log()

    monkeypatch.setattr(_hyperparameters, "leave_one_out", ever_better)
    monkeypatch.setattr("probal.adapters.bayes_adapter.compromise", lambda _later, amplitude, *_: amplitude)
    found = BayesAdapter(15.0).fit(x, y, prior if texts else bare)
    centre = (_hyperparameters.AMPLITUDE if texts else _hyperparameters.AMPLITUDE_BARE)[1]
    assert 16 * centre < found.amplitude < 4.0**4 * centre * 1.001
    assert torch.isfinite(found.logits(x).variance()).all()
