"""Mode, span and leave-one-out against autograd, singular values and refitting, with n ≠ r ≠ C."""

import pytest
import torch
from torch import Tensor

from probal.adapters._dual import active_images
from probal.adapters._leave_one_out import _variances, leave_one_out
from probal.adapters._softmax_gp import find_mode, span_of

SHAPES = [(40, 12, 5), (9, 9, 2), (6, 4, 11)]


def problem(n: int, r: int, c: int, spread: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(n * r * c)
    phi = spread * torch.randn(n, r, generator=g, dtype=torch.float64)
    offset = torch.randn(n, c, generator=g, dtype=torch.float64)
    return offset, phi, torch.randint(0, c, (n,), generator=g)


def negative_log_joint(
    offset: Tensor, phi: Tensor, y: Tensor, b: Tensor, gains: float | Tensor = 1.0
) -> Tensor:
    log_p = torch.log_softmax(offset + phi @ b * gains, 1)
    return 0.5 * b.square().sum() - log_p.gather(1, y[:, None]).sum()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [0.3, 8.0])
def test_the_mode_has_zero_gradient(shape: tuple[int, int, int], spread: float) -> None:
    offset, phi, y = problem(*shape, spread)
    mode = find_mode(offset, phi @ phi.T, y)
    weights = phi.T @ mode.representer  # [r,C], the primal twin
    b = weights.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(negative_log_joint(offset, phi, y, b), b)
    assert gradient.abs().max() < 2e-3
    assert mode.log_joint == pytest.approx(-float(negative_log_joint(offset, phi, y, weights)), rel=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_any_start_ends_at_the_same_mode(shape: tuple[int, int, int]) -> None:
    offset, phi, y = problem(*shape)
    start = 5 * torch.randn(
        shape[0], shape[2], generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    near, far = find_mode(offset, phi @ phi.T, y), find_mode(offset, phi @ phi.T, y, start)
    torch.testing.assert_close(near.logits, far.logits, atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_representer_weights_are_the_residuals(shape: tuple[int, int, int]) -> None:
    """Where no two rows depend on each other they are one; else their effect is."""
    offset, phi, y = problem(*shape)
    gram, gains = phi @ phi.T, torch.linspace(0.5, 2, shape[2], dtype=torch.float64)
    mode = find_mode(offset, gram, y, gains=gains)
    residual = torch.nn.functional.one_hot(y, shape[2]) - mode.probs
    torch.testing.assert_close(gram @ mode.representer, gram @ residual, atol=1e-3, rtol=0)
    torch.testing.assert_close(mode.logits, offset + gram @ mode.representer * gains.square())
    torch.testing.assert_close(mode.probs, torch.softmax(mode.logits, 1))


@pytest.mark.parametrize(("n", "d"), [(7, 19), (19, 7), (0, 5)])
def test_the_span_is_that_of_the_singular_values(n: int, d: int) -> None:
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    x = torch.cat([x, x[:2]])  # repeated rows add no direction
    coordinates, basis = span_of(x)
    assert basis.shape == (d, min(n, d))
    torch.testing.assert_close(coordinates @ basis.T, x)
    torch.testing.assert_close(basis.T @ basis, torch.eye(min(n, d), dtype=torch.float64))
    across = coordinates.T @ coordinates
    torch.testing.assert_close(across, torch.diag(across.diagonal()))


@pytest.mark.parametrize("amplitude", [0.5, 4.0])
def test_leave_one_out_matches_refitting(amplitude: float) -> None:
    offset, phi, _ = problem(60, 8, 4, 0.5)
    phi = amplitude**0.5 * phi
    g = torch.Generator().manual_seed(2)
    truth = torch.softmax(offset + phi @ torch.randn(8, 4, generator=g, dtype=torch.float64), 1)
    y = torch.multinomial(truth, 1, generator=g).squeeze(1)
    gram = phi @ phi.T
    mode = find_mode(offset, gram, y)
    quick = leave_one_out(gram, y, mode, torch.ones(4, dtype=torch.float64))
    slow = []
    for i in range(len(y)):
        keep = torch.arange(len(y)) != i
        others = find_mode(offset[keep], gram[keep][:, keep], y[keep]).representer
        slow.append(torch.log_softmax(offset[i] + gram[i, keep] @ others, 0)[y[i]])
    training = float(mode.probs.log().gather(1, y[:, None]).mean())
    refitted = float(torch.stack(slow).mean())
    # the classes' coupling is dropped: with 4 classes and pure noise that is a fifth of the optimism removed
    assert abs(float(quick.mean()) - refitted) < 0.25 * (training - refitted)


def test_leave_one_out_needs_only_the_images_that_are_not_settled() -> None:
    """200 labels of 5 classes, of which 160 per class are looked at, against all of them."""
    g = torch.Generator().manual_seed(4)
    centres = torch.randn(5, 20, generator=g, dtype=torch.float64)
    y = torch.arange(200) % 5
    phi = 1.5 * (centres[y] + 1.5 * torch.randn(200, 20, generator=g, dtype=torch.float64))
    offset, gains = torch.zeros(200, 5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    gram = phi @ phi.T
    mode = find_mode(offset, gram, y)
    slope = mode.probs * (1 - mode.probs)
    dense = torch.stack(
        [
            (gram - gram @ torch.linalg.solve(gram + torch.diag(1 / w), gram)).diagonal()
            for w in slope.unbind(1)
        ],
        1,
    )
    onehot = torch.nn.functional.one_hot(y, 5)
    mean = mode.logits - dense / (1 - dense * slope) * (onehot - mode.probs)
    want = torch.log_softmax(mean, 1)[torch.arange(200), y]
    torch.testing.assert_close(leave_one_out(gram, y, mode, gains), want, rtol=0, atol=0.05)
    assert float(want.mean()) == pytest.approx(float(leave_one_out(gram, y, mode, gains).mean()), abs=1e-3)


@pytest.mark.parametrize("classes", [3, 60])
def test_settled_images_may_be_left_out(classes: int) -> None:
    """Against all rows of every class, on separable data with many and few classes."""
    g = torch.Generator().manual_seed(classes)
    centres = torch.randn(classes, 20, generator=g, dtype=torch.float64)
    y = torch.arange(240) % classes
    x = centres[y] + 2 * torch.randn(240, 20, generator=g, dtype=torch.float64)
    phi = 6 * x / x.norm(dim=1, keepdim=True)
    gram = phi @ phi.T
    mode = find_mode(torch.zeros(240, classes, dtype=torch.float64), gram, y)
    weights = mode.probs * (1 - mode.probs)
    dense = torch.stack(
        [
            (gram - gram @ torch.linalg.solve(gram + torch.diag(1 / w), gram)).diagonal()
            for w in weights.unbind(1)
        ],
        1,
    )
    ones = torch.ones(classes, dtype=torch.float64)
    quick = _variances(gram, weights, ones, active_images(weights, 0.95))
    assert (quick >= dense - 1e-3).all()
    torch.testing.assert_close(quick, dense, atol=0, rtol=0.3)
    assert float((quick / dense).mean()) < 1.1


def test_inputs_that_are_not_finite_are_refused() -> None:
    offset, phi, y = problem(6, 4, 3)
    with pytest.raises(FloatingPointError, match="not finite"):
        find_mode(offset / 0, phi @ phi.T, y)
