"""Training: finds a known noise, chooses by uncertainty, steps its schedule, and fails out loud."""

import dataclasses
import math
from itertools import pairwise

import pytest
import torch
from scipy.stats import spearmanr

from probal.errors import UserError
from probal.probvlm import Pairs, Settings, train
from probal.probvlm.calibration import calibration_error, coverage
from probal.probvlm.model import EpochRecord
from probal.probvlm.train import choose_epoch, split

D = 6
QUICK = Settings(hidden=32, dropout=0.1, epochs=3, patience=3, batch_size=64)


def world(n=1500, seed=0):
    """Images, texts = images + offset + noise of a standard deviation that the image's first entry sets [n]."""
    g = torch.Generator().manual_seed(seed)
    images = torch.randn(n, D, generator=g)
    noise = 0.1 + 0.9 * torch.sigmoid(3 * images[:, 0])
    return Pairs(images, images + 0.5 + noise[:, None] * torch.randn(n, D, generator=g)), noise


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def trained():
    settings = Settings(hidden=32, dropout=0.1, epochs=40, patience=40, batch_size=64, learning_rate=5e-3)
    calls = []
    model = train(world()[0], settings, generator(), lambda *call: calls.append(call))
    return model, calls


def test_finds_the_noise_that_is_there(trained):
    pairs, noise = world(seed=1)
    found = trained[0].embed_images(pairs.images, generator())
    assert spearmanr(found.ambiguity(), noise).statistic > 0.9
    density = trained[0].image_density(pairs.images)
    assert calibration_error(coverage(density, pairs.texts)) < 0.06
    assert (density.mean - pairs.texts).square().mean() < (pairs.images - pairs.texts).square().mean()


def test_the_schedule_steps_at_every_batch(trained):
    """The paper's code steps it outside the loop, so the rate never falls."""
    model, calls = trained
    rates = [record.learning_rate for record in model.history]
    assert len(rates) == len(calls) == 40
    assert all(later < earlier for earlier, later in pairwise(rates))
    assert rates[-1] < 1e-8
    assert rates[19] == pytest.approx(model.settings.learning_rate / 2, rel=1e-6)  # half way down a cosine
    assert [call[:2] for call in calls] == [(i + 1, 40) for i in range(40)]


def test_likelihood_improves_and_the_choice_is_recorded(trained):
    model = trained[0]
    assert model.history[model.chosen].nll < model.history[0].nll - 0.2
    assert model.chosen == choose_epoch(model.history)
    assert not any(p.requires_grad for p in (*model.image.parameters(), *model.text.parameters()))
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.chosen = 0


def test_the_weights_are_those_of_the_chosen_epoch():
    settings = dataclasses.replace(QUICK, epochs=20, patience=20, learning_rate=0.05, dropout=0.0)
    pairs = world(120)[0]  # few enough to overfit
    model = train(pairs, settings, generator())
    assert model.chosen < len(model.history) - 1
    held = split(pairs, settings, generator())[1]
    distance = (model.image_density(pairs.images[held]).mean - pairs.texts[held]).square().mean().sqrt()
    assert float(distance) == pytest.approx(model.history[model.chosen].mean_error, rel=1e-5)
    errors = [record.mean_error for record in model.history]
    assert len(set(errors)) == len(errors)  # no other epoch would have passed


def record(nll, calibration, mean_error=1.0, nll_error=0.1):
    return EpochRecord(1e-3, 0.0, nll, nll_error, calibration, mean_error)


def test_the_choice_is_by_likelihood_and_calibration_never_by_mean_error():
    history = [
        record(3.0, 0.30, mean_error=0.01),  # the nearest means, the worst uncertainty
        record(1.05, 0.02),
        record(1.0, 0.10),
        record(1.2, 0.001),  # calibrated, but beyond a standard error of the best likelihood
    ]
    assert choose_epoch(history) == 1
    assert choose_epoch(history[:1]) == 0


def test_same_generator_same_model_and_the_global_one_untouched():
    pairs = world(300)[0]
    before = torch.get_rng_state()
    first, again, other = (train(pairs, QUICK, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.history == again.history
    for a, b in zip(first.image.parameters(), again.image.parameters(), strict=True):
        assert torch.equal(a, b)
    assert first.history != other.history


def test_stops_early():
    settings = dataclasses.replace(QUICK, epochs=60, patience=2, learning_rate=0.05, dropout=0.0)
    history = train(world(120)[0], settings, generator()).history
    assert len(history) < 60
    best = min(range(len(history)), key=lambda i: history[i].nll)
    assert best == len(history) - 1 - settings.patience


@pytest.mark.parametrize("by_text", [True, False])
def test_split_is_of_all_pairs_and_keeps_held_texts_out(by_text):
    texts = torch.arange(20.0)[:, None].repeat_interleave(5, 0) * torch.ones(1, D)
    pairs = Pairs(torch.randn(100, D, generator=generator()), texts)
    settings = dataclasses.replace(QUICK, held_out=0.2, held_out_texts=by_text)
    kept, held = split(pairs, settings, generator())
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(100))
    assert len(held) == 20
    shared = set(texts[kept, 0].tolist()) & set(texts[held, 0].tolist())
    assert (not shared) == by_text


def test_a_loss_that_is_not_finite_raises():
    """The paper's code returns None for a NaN loss and goes on."""
    pairs = world(100)[0]
    pairs.texts[:] = float("nan")  # after the check at the door
    with pytest.raises(FloatingPointError, match="loss is nan in epoch 1"):
        train(pairs, dataclasses.replace(QUICK, held_out_texts=False), generator())


def test_bad_pairs_are_refused():
    good = torch.zeros(10, D)
    for images, texts, message in (
        (good, good[:, :3], "must be pairs"),
        (good[0], good[0], "must be pairs"),
        (good[:7], good[:7], "at least 8 pairs"),
        (good, good + float("inf"), "texts of the pairs must be finite"),
        (good * float("nan"), good, "images of the pairs must be finite"),
    ):
        with pytest.raises(UserError, match=message):
            Pairs(images, texts)
    with pytest.raises(UserError, match="share one text"):
        train(Pairs(torch.randn(20, D), torch.ones(20, D)), QUICK, generator())


def test_a_held_out_pair_far_from_the_rest_is_a_bad_epoch_and_no_crash():
    images = torch.zeros(64, 4) + 1e-6 * torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    texts = images.clone()
    texts[0] = 50.0  # wherever the split puts it, one side meets it unprepared
    for seed in range(4):
        settings = Settings(hidden=8, epochs=3, held_out_texts=False, held_out=0.3)
        model = train(Pairs(images, texts), settings, torch.Generator().manual_seed(seed))
        assert all(math.isfinite(record.nll) for record in model.history)
