"""The parts of the integrals: the factor without its common mode, the nodes, the thread guard."""

from __future__ import annotations

import pytest
import torch

from probal.gaussian.predictive import contrast_factor, normal_nodes, single_thread


@pytest.mark.parametrize(("c", "r"), [(6, 2), (6, 6), (4, 30), (1, 3), (2, 1)])
def test_contrast_factor_keeps_every_contrast(c: int, r: int) -> None:
    factor = torch.randn(c, r, generator=torch.Generator().manual_seed(c), dtype=torch.float64)
    small = contrast_factor(factor)
    assert small.shape == (c, min(r, c))
    contrasts = torch.eye(c, dtype=torch.float64) - 1 / c
    torch.testing.assert_close(small @ small.mT, contrasts @ factor @ factor.mT @ contrasts)


def test_equal_eigenvalues_leave_no_choice() -> None:
    """Scores must not hang on which eigenvectors a machine picks: a rotated factor gives the same root."""
    factor = torch.eye(5, 8, dtype=torch.float64)
    turn, _ = torch.linalg.qr(
        torch.randn(8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )
    torch.testing.assert_close(contrast_factor(factor @ turn), contrast_factor(factor), rtol=0, atol=1e-7)


def test_nodes_are_standard_normal_finite_and_repeat() -> None:
    nodes = normal_nodes(4096, 7)
    assert torch.equal(nodes, normal_nodes(4096, 7))
    assert torch.isfinite(nodes).all()
    assert nodes.mean(0).abs().max() < 2e-3
    assert (torch.cov(nodes.mT) - torch.eye(7)).abs().max() < 0.02


def test_global_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    normal_nodes(64, 3)
    assert torch.equal(before, torch.get_rng_state())


def test_single_thread_gives_the_threads_back_after_an_error() -> None:
    before = torch.get_num_threads()

    def fails_on_one_thread() -> None:
        with single_thread():
            raise RuntimeError(f"{torch.get_num_threads()} thread")

    with pytest.raises(RuntimeError, match="1 thread"):
        fails_on_one_thread()
    assert torch.get_num_threads() == before
