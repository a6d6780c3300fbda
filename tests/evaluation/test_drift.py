"""The two-sample test: right level where nothing changed, power where something did, and effect before alarm."""

import numpy as np
import pytest

from probal.evaluation import Drift, detect_drift


def _unit(rng: np.random.Generator, n: int, shift: float = 0.0) -> np.ndarray:
    x = rng.normal(size=(n, 12)).astype(np.float32)
    x[:, 0] += shift
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_p_values_are_uniform_where_nothing_changed():
    rng = np.random.default_rng(0)
    found = [detect_drift(_unit(rng, 60), _unit(rng, 30), rng) for _ in range(100)]
    p = np.array([each.p_value for each in found])
    assert (p <= 0.2).mean() <= 0.2 + 3 * 0.04
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=3 * 0.05)
    assert all(each.warning is None for each in found if each.p_value > 0.01)
    assert np.mean([each.auc for each in found]) == pytest.approx(0.5, abs=0.03)


def test_another_distribution_raises_a_warning():
    rng = np.random.default_rng(1)
    found = detect_drift(_unit(rng, 300), _unit(rng, 40, 3.0), rng)
    assert found.p_value == pytest.approx(1 / 500)
    assert found.auc > 0.9
    assert found.warning is not None
    assert "40 images added later" in found.warning
    assert (found.n_first, found.n_new) == (300, 40)
    assert Drift.from_dict(found.to_dict()) == found


def test_a_real_but_small_difference_is_no_alarm():
    rng = np.random.default_rng(2)
    found = detect_drift(_unit(rng, 3000), _unit(rng, 3000, 0.3), rng)
    assert found.p_value <= 0.01
    assert found.auc < 0.6
    assert found.warning is None


def test_a_pool_of_one_picture_does_not_break():
    same = np.ones((30, 4)) / 2
    found = detect_drift(same, same, np.random.default_rng(0))
    assert (found.p_value, found.warning) == (1.0, None)


@pytest.mark.parametrize(("n", "m"), [(19, 30), (30, 19)])
def test_too_few_images(n: int, m: int):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 20"):
        detect_drift(_unit(rng, n), _unit(rng, m), rng)


def test_other_widths():
    with pytest.raises(ValueError, match="need"):
        detect_drift(np.zeros((30, 3)), np.zeros((30, 4)), np.random.default_rng(0))
