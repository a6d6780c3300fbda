"""Curvature of the projection: against the Hessian over all its weights, as sums, and label-free."""

from __future__ import annotations

import pytest
import torch
from posterior_world import C, D, N, P, draw, projection
from torch import Tensor
from torch.func import jacrev

from probal.posterior import (
    Curvature,
    InfoNCE,
    Likelihood,
    SigLIP,
    measure,
    measure_label_free,
    measure_pairs,
)

LOSSES = [InfoNCE(6.0), SigLIP(6.0, -2.0)]
ACTIVATIONS, TARGETS, RESIDUAL = draw(N, P, seed=1), draw(C, D, seed=2), draw(N, D, seed=3)


@pytest.mark.parametrize("likelihood", LOSSES)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("with_residual", [False, True])
def test_one_image_against_the_gauss_newton_of_all_weights(
    likelihood: Likelihood, bias: bool, with_residual: bool
) -> None:
    """For one image KFAC is no approximation: A⊗B is the Gauss-Newton of the weights, bias column included."""
    tower = projection(bias)
    residual = RESIDUAL[0] if with_residual else torch.zeros(D, dtype=torch.float64)
    unit = TARGETS / TARGETS.norm(dim=1, keepdim=True)
    stacked = tower.weight if tower.bias is None else torch.cat([tower.weight, tower.bias[:, None]], 1)
    a = torch.cat([ACTIVATIONS[0], torch.ones(1, dtype=torch.float64)])[: tower.columns]

    def logits(columns: Tensor) -> Tensor:  # W's columns stacked, as in kron(A, B)
        z = columns.reshape(tower.columns, D).mT @ a + residual
        f = 6.0 * unit @ (z / z.norm())
        return f - 2.0 if isinstance(likelihood, SigLIP) else f

    at = stacked.mT.reshape(-1)
    jacobian = jacrev(logits)(at)
    if isinstance(likelihood, SigLIP):
        inner = jacrev(jacrev(lambda f: torch.nn.functional.softplus(f).sum()))(logits(at))
    else:
        inner = jacrev(jacrev(lambda f: torch.logsumexp(f, 0)))(logits(at))
    found = measure(tower, ACTIVATIONS[:1], TARGETS, likelihood, RESIDUAL[:1] if with_residual else None)
    torch.testing.assert_close(torch.kron(found.a, found.b), jacobian.mT @ inner @ jacobian)


@pytest.mark.parametrize("likelihood", LOSSES)
def test_many_images_are_the_sums_with_the_root_of_their_number(likelihood: Likelihood) -> None:
    tower = projection(bias=True)
    found = measure(tower, ACTIVATIONS, TARGETS, likelihood, RESIDUAL)
    z = ACTIVATIONS @ tower.weight.mT + tower.bias + RESIDUAL
    x = torch.cat([ACTIVATIONS, torch.ones(N, 1, dtype=torch.float64)], 1)
    torch.testing.assert_close(found.a, sum(torch.outer(row, row) for row in x) / N**0.5)
    torch.testing.assert_close(found.b, sum(likelihood.ggn(row[None], TARGETS) for row in z) / N**0.5)
    assert found.count == N
    assert found.pseudo_count == 0


@pytest.mark.parametrize("minibatch", [1, 3, 100])
def test_the_minibatch_does_not_matter(minibatch: int) -> None:
    tower = projection()
    whole = measure(tower, ACTIVATIONS, TARGETS, LOSSES[0], RESIDUAL)
    streamed = measure(tower, ACTIVATIONS, TARGETS, LOSSES[0], RESIDUAL, minibatch)
    torch.testing.assert_close(streamed.outer, whole.outer)
    torch.testing.assert_close(streamed.ggn, whole.ggn)


def test_sums_add_up() -> None:
    tower = projection()
    parts = [measure(tower, ACTIVATIONS[rows], TARGETS, LOSSES[0]) for rows in ([0, 1], [2, 3, 4, 5, 6])]
    whole = measure(tower, ACTIVATIONS, TARGETS, LOSSES[0])
    together = parts[0] + parts[1]
    torch.testing.assert_close(together.a, whole.a)
    torch.testing.assert_close(together.b, whole.b)
    assert together.count == whole.count
    again = Curvature.from_factors(whole.a, whole.b, whole.count)
    torch.testing.assert_close(again.outer, whole.outer)


def test_pairs_contrast_within_their_batch_and_none_is_left_out() -> None:
    tower, texts = projection(), draw(N, D, seed=4)
    found = measure_pairs(tower, ACTIVATIONS, texts, LOSSES[0], contrast=3)  # 7 pairs: 3 + 2 + 2
    whole = None
    for rows in ([0, 1, 2], [3, 4], [5, 6]):
        part = measure(tower, ACTIVATIONS[rows], texts[rows], LOSSES[0])
        whole = part if whole is None else whole + part
    assert whole is not None
    torch.testing.assert_close(found.b, whole.b)
    assert found.count == N
    assert (found.b - measure(tower, ACTIVATIONS, texts, LOSSES[0]).b).norm() > 1e-3 * found.b.norm()


def test_a_pool_that_nobody_labeled_is_no_evidence() -> None:
    """Twice the pool is the same posterior; the pseudo-count is what it says, and is on record."""
    tower = projection()
    once = measure_label_free(tower, ACTIVATIONS, TARGETS, LOSSES[0], 20.0)
    twice = measure_label_free(tower, ACTIVATIONS.repeat(2, 1), TARGETS, LOSSES[0], 20.0)
    torch.testing.assert_close(twice.a, once.a)
    torch.testing.assert_close(twice.b, once.b)
    real = measure(tower, ACTIVATIONS, TARGETS, LOSSES[0])
    torch.testing.assert_close(torch.kron(once.a, once.b), 20 / N * torch.kron(real.a, real.b))
    assert once.count == once.pseudo_count == 20
    assert (once + real).count == 20 + N
    assert (once + real).pseudo_count == 20


@pytest.mark.parametrize("count", [0.0, -3.0, float("nan")])
def test_a_count_is_positive(count: float) -> None:
    with pytest.raises(ValueError, match="count must be a positive number"):
        Curvature(torch.eye(2), torch.eye(3), count)


def test_what_does_not_fit_is_refused() -> None:
    tower = projection()
    with pytest.raises(ValueError, match="no activations"):
        measure(tower, ACTIVATIONS[:0], TARGETS, LOSSES[0])
    with pytest.raises(ValueError, match="are not pairs"):
        measure_pairs(tower, ACTIVATIONS, TARGETS, LOSSES[0])
    with pytest.raises(ValueError, match="another one to contrast with"):
        measure_pairs(tower, ACTIVATIONS, draw(N, D), LOSSES[0], contrast=1)
    with pytest.raises(ValueError, match="different widths"):
        Curvature(torch.eye(2), torch.eye(3), 1.0) + Curvature(torch.eye(3), torch.eye(3), 1.0)
    with pytest.raises(ValueError, match="activations must be"):
        measure(tower, draw(N, P + 1), TARGETS, LOSSES[0])
    with pytest.raises(ValueError, match="residual must be"):
        measure(tower, ACTIVATIONS, TARGETS, LOSSES[0], RESIDUAL[:, :1])
