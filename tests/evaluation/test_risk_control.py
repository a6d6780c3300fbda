"""Certified labels: the bound is exact, the promise holds in simulation, and nothing is promised on thin evidence."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from probal.evaluation import certify, count_bound


@given(st.data())
def test_the_bound_is_the_last_count_with_a_chance(data: st.DataObject):
    population = data.draw(st.integers(1, 60))
    n = data.draw(st.integers(1, population))
    wrong = data.draw(st.integers(0, n))
    alpha = data.draw(st.sampled_from([0.01, 0.05, 0.3]))
    chances = hypergeom.cdf(wrong, population, np.arange(population + 1), n)
    possible = np.flatnonzero(chances > alpha)
    assert count_bound(wrong, n, population, alpha) == min(possible.max(), population - n + wrong)


def test_without_a_population_it_is_clopper_pearsons():
    rate = count_bound(2, 40, None, 0.05)
    assert binom.cdf(2, 40, rate) == pytest.approx(0.05)
    assert count_bound(4, 4, None, 0.05) == 1.0


def _world(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and whether they are right: most images easy, the rest less sure than they say."""
    easy = rng.random(n) < 0.75
    confidence = np.where(easy, rng.uniform(0.9, 1, n), rng.uniform(0.3, 0.95, n))
    return confidence, rng.random(n) < np.where(easy, 0.995, confidence - 0.2)


@pytest.mark.parametrize("finite", [True, False])
def test_the_promise_holds_and_is_worth_something(finite: bool):
    rng = np.random.default_rng(5)
    replicates, broken, share, level, precision = 120, 0, [], 0.8, 0.95
    for _ in range(replicates):
        confidence, right = _world(rng, 600)
        audit = np.zeros(600, bool)
        audit[rng.permutation(600)[:120]] = True
        found = certify(confidence[~audit], confidence[audit], ~right[audit], precision, level, finite=finite)
        kept = confidence[~audit] >= (math.inf if found.threshold is None else found.threshold)
        assert kept.sum() == found.kept
        assert found.most_wrong <= (1 - precision) * found.kept + 1e-9
        broken += bool((~right[~audit][kept]).sum() > (1 - precision) * found.kept)
        share.append(found.kept / 480)
    assert broken / replicates <= (1 - level) + 3 * math.sqrt(level * (1 - level) / replicates)
    assert np.mean(share) > 0.3


@pytest.mark.parametrize("easy_first", [True, False])
def test_the_promise_holds_whatever_the_labeling_took_from_the_pool(easy_first: bool):
    rng = np.random.default_rng(6)
    replicates, broken, level, precision = 120, 0, 0.8, 0.9
    for _ in range(replicates):
        confidence, right = _world(rng, 600)
        order = rng.permutation(600)
        audit, pool = order[:120], order[120:]
        # takes the right and sure ones, as typical images are, or the doubtful ones
        taken = pool[np.argsort(-(confidence + right)[pool] * (1 if easy_first else -1))[:150]]
        rest = np.setdiff1d(pool, taken)
        found = certify(
            confidence[rest], confidence[audit], ~right[audit], precision, level, labeled=len(taken)
        )
        kept = rest[confidence[rest] >= (math.inf if found.threshold is None else found.threshold)]
        broken += bool((~right[kept]).sum() > (1 - precision) * len(kept))
    assert broken / replicates <= (1 - level) + 3 * math.sqrt(level * (1 - level) / replicates)


def test_too_few_audit_images_promise_nothing_whatever_they_say():
    rng = np.random.default_rng(0)
    found = certify(rng.random(5000), rng.random(100), np.zeros(100, bool), 0.98)
    assert found.threshold is None
    assert (found.kept, found.audit_needed) == (0, 149)
    assert certify(rng.random(10), [], np.zeros(0, bool), 0.9).threshold is None


def test_a_perfect_audit_keeps_everything():
    rng = np.random.default_rng(0)
    rest = rng.random(3000)
    found = certify(rest, rng.random(200), np.zeros(200, bool), 0.98)
    assert (found.kept, found.audit_kept, found.audit_wrong) == (3000, 200, 0)
    assert found.threshold is not None
    assert (rest >= found.threshold).all()


def test_a_large_audit_is_not_lost_to_one_early_mistake():
    confidence = np.linspace(1, 0.5, 1000)
    wrong = np.zeros(1000, bool)
    wrong[[3, 400]] = True
    assert certify(confidence, confidence, wrong, 0.98).kept == 1000


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_a_mistake_more_and_a_higher_precision_never_keep_more(seed: int):
    rng = np.random.default_rng(seed)
    rest, sample, wrong = rng.random(200), rng.random(60).round(1), rng.random(60) < 0.05
    kept = certify(rest, sample, wrong, 0.8, 0.8).kept
    worse = wrong.copy()
    worse[rng.integers(60)] = True
    assert certify(rest, sample, worse, 0.8, 0.8).kept <= kept
    assert certify(rest, sample, wrong, 0.9, 0.8).kept <= kept
    shuffled = rng.permutation(60)
    assert certify(rng.permutation(rest), sample[shuffled], wrong[shuffled], 0.8, 0.8).kept == kept


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([0.1], [0.2, 0.3], np.zeros(1, bool), 0.9), "need"),
        (([0.1], [0.2], np.zeros(1), 0.9), "booleans"),
        (([math.nan], [0.2], np.zeros(1, bool), 0.9), "finite"),
        (([0.1], [0.2], np.zeros(1, bool), 1.0), "between"),
    ],
)
def test_bad_arguments(arguments: tuple, told: str):
    with pytest.raises(ValueError, match=told):
        certify(*arguments)
