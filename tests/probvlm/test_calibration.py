"""Coverage tells a right α from a wrong one; bins lose nobody."""

import pytest
import torch

from probal.probvlm.calibration import LEVELS, bins_of, calibration_error, coverage, pair_coverage
from probal.probvlm.density import GeneralizedGaussian


def density(n=400, d=30, alpha=0.5):
    g = torch.Generator().manual_seed(0)
    mean = torch.randn(n, d, generator=g)
    return GeneralizedGaussian(mean, torch.full((n, d), alpha), 0.6 + 2 * torch.rand(n, d, generator=g))


def test_true_alpha_is_calibrated_and_others_are_not():
    x = density().sample(1, torch.Generator().manual_seed(1))[0]
    assert calibration_error(coverage(density(), x)) < 0.01
    assert calibration_error(coverage(density(alpha=0.25), x)) > 0.1
    assert (coverage(density(alpha=0.25), x) < torch.tensor(LEVELS)).all()  # too narrow: too few inside
    assert (coverage(density(alpha=1.0), x) > torch.tensor(LEVELS)).all()


def test_pair_coverage_weighs_partners_by_lambda():
    right, wide = density(), density(alpha=5.0)
    x = right.sample(1, torch.Generator().manual_seed(1))[0]
    found = pair_coverage(right, wide, x, x, 3.0)
    torch.testing.assert_close(found, (4 * coverage(right, x) + 4 * coverage(wide, x)) / 8)
    far = x + 100
    parts = coverage(right, x) + coverage(wide, far) + 3.0 * (coverage(right, far) + coverage(wide, x))
    torch.testing.assert_close(pair_coverage(right, wide, x, far, 3.0), parts / 8)


@pytest.mark.parametrize(("n", "bins"), [(10, 10), (99, 10), (101, 10), (1003, 7)])
def test_bins_lose_no_item(n, bins):
    """The paper's code drops what does not fill a bin, the most uncertain images."""
    g = torch.Generator().manual_seed(n)
    uncertainty, error = torch.rand(n, generator=g), torch.rand(n, generator=g)
    error[uncertainty.argmax()] = 1000.0
    found = bins_of(uncertainty, error, bins)
    counts = [b.count for b in found]
    assert sum(counts) == n
    assert max(counts) - min(counts) <= 1
    assert sum(b.count * b.error for b in found) == pytest.approx(float(error.double().sum()))
    assert [b.uncertainty for b in found] == sorted(b.uncertainty for b in found)
    assert found[-1].error == max(b.error for b in found)


def test_ties_and_bad_shapes():
    assert [b.count for b in bins_of(torch.zeros(25), torch.ones(25), 4)] == [7, 6, 6, 6]
    for uncertainty, error, bins in ((torch.ones(3), torch.ones(3), 4), (torch.ones(5), torch.ones(4), 2)):
        with pytest.raises(ValueError, match="as many images as bins"):
            bins_of(uncertainty, error, bins)
