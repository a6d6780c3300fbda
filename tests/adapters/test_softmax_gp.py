"""Mode, determinant and covariance against autograd and the dense Hessian, with n ≠ r ≠ C."""

import pytest
import torch
from torch import Tensor

from probal.adapters._hyperparameters import _variances, leave_one_out
from probal.adapters._softmax_gp import curvature, find_mode, log_evidence

SHAPES = [(40, 12, 5), (9, 9, 2), (6, 4, 11)]


def problem(n: int, r: int, c: int, spread: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(n * r * c)
    phi = spread * torch.randn(n, r, generator=g, dtype=torch.float64)
    offset = torch.randn(n, c, generator=g, dtype=torch.float64)
    return offset, phi, torch.randint(0, c, (n,), generator=g)


def negative_log_joint(offset: Tensor, phi: Tensor, y: Tensor, b: Tensor) -> Tensor:
    log_p = torch.log_softmax(offset + phi @ b, 1)
    return 0.5 * b.square().sum() - log_p.gather(1, y[:, None]).sum()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [0.3, 8.0])
def test_the_mode_has_zero_gradient(shape: tuple[int, int, int], spread: float) -> None:
    offset, phi, y = problem(*shape, spread)
    mode = find_mode(offset, phi, y)
    b = mode.weights.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(negative_log_joint(offset, phi, y, b), b)
    assert gradient.abs().max() < 2e-3
    assert mode.log_joint == pytest.approx(
        -float(negative_log_joint(offset, phi, y, mode.weights)), rel=1e-10
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_any_start_ends_at_the_same_mode(shape: tuple[int, int, int]) -> None:
    offset, phi, y = problem(*shape)
    start = 5 * torch.randn(
        shape[1], shape[2], generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    near, far = find_mode(offset, phi, y), find_mode(offset, phi, y, start)
    torch.testing.assert_close(near.weights, far.weights, atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_structured_hessian_is_the_dense_one(shape: tuple[int, int, int]) -> None:
    offset, phi, y = problem(*shape)
    _, r, c = shape
    mode = find_mode(offset, phi, y)
    dense = torch.autograd.functional.hessian(
        lambda b: negative_log_joint(offset, phi, y, b.reshape(r, c)), mode.weights.reshape(-1)
    )
    curved = curvature(phi, mode.probs)
    assert curved.log_det() == pytest.approx(float(torch.logdet(dense)), abs=1e-7)
    inverse = torch.linalg.inv(dense).reshape(r, c, r, c)
    blocks = torch.stack([inverse[:, i, :, i] for i in range(c)])
    torch.testing.assert_close(curved.marginal_covariance(), blocks, atol=1e-8, rtol=0)
    assert log_evidence(mode, curved) == pytest.approx(
        mode.log_joint - 0.5 * float(torch.logdet(dense)), abs=1e-7
    )


def test_evidence_is_the_integral_where_laplace_is_nearly_exact() -> None:
    """One weight per class, small amplitude: importance sampling from the prior is reliable."""
    offset, phi, y = problem(5, 1, 3, 0.3)
    b = torch.randn(400_000, 1, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_p = torch.log_softmax(offset + phi @ b, -1)
    likelihood = log_p.gather(-1, y.expand(len(b), 5)[..., None]).squeeze(-1).sum(1)
    truth = torch.logsumexp(likelihood, 0) - torch.log(torch.tensor(float(len(b))))
    mode = find_mode(offset, phi, y)
    assert log_evidence(mode, curvature(phi, mode.probs)) == pytest.approx(float(truth), abs=0.02)


@pytest.mark.parametrize("amplitude", [0.5, 4.0])
def test_leave_one_out_matches_refitting(amplitude: float) -> None:
    offset, phi, _ = problem(60, 8, 4, 0.5)
    phi = amplitude**0.5 * phi
    g = torch.Generator().manual_seed(2)
    truth = torch.softmax(offset + phi @ torch.randn(8, 4, generator=g, dtype=torch.float64), 1)
    y = torch.multinomial(truth, 1, generator=g).squeeze(1)
    quick = leave_one_out(offset, phi, y, find_mode(offset, phi, y))
    slow = []
    for i in range(len(y)):
        keep = torch.arange(len(y)) != i
        weights = find_mode(offset[keep], phi[keep], y[keep]).weights
        slow.append(torch.log_softmax(offset[i] + phi[i] @ weights, 0)[y[i]])
    mode = find_mode(offset, phi, y)
    training = float(mode.probs.log().gather(1, y[:, None]).mean())
    refitted = float(torch.stack(slow).mean())
    # the classes' coupling is dropped: with 4 classes and pure noise that is a fifth of the optimism removed
    assert abs(float(quick.mean()) - refitted) < 0.25 * (training - refitted)


@pytest.mark.parametrize("classes", [3, 60])
def test_settled_images_may_be_left_out(classes: int) -> None:
    """Against all rows of every class, on separable data with many and few classes."""
    g = torch.Generator().manual_seed(classes)
    centres = torch.randn(classes, 20, generator=g, dtype=torch.float64)
    y = torch.arange(240) % classes
    x = centres[y] + 2 * torch.randn(240, 20, generator=g, dtype=torch.float64)
    phi = 6 * x / x.norm(dim=1, keepdim=True)
    mode = find_mode(torch.zeros(240, classes, dtype=torch.float64), phi, y)
    weights = mode.probs * (1 - mode.probs)
    gram = phi @ phi.T
    dense = torch.stack(
        [
            (gram - gram @ torch.linalg.solve(gram + torch.diag(1 / w), gram)).diagonal()
            for w in weights.unbind(1)
        ],
        1,
    )
    quick = _variances(gram, weights)
    assert (quick >= dense - 1e-3).all()
    torch.testing.assert_close(quick, dense, atol=0, rtol=0.2)
    assert float((quick / dense).mean()) < 1.02


def test_inputs_that_are_not_finite_are_refused() -> None:
    offset, phi, y = problem(6, 4, 3)
    with pytest.raises(FloatingPointError, match="not finite"):
        find_mode(offset / 0, phi, y)
