"""The Gaussian embedding's three forms against their dense covariance."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from probal.gaussian import GaussianEmbedding

N, D = 5, 3


def spd(width: int, seed: int = 0) -> torch.Tensor:
    root = torch.randn(width, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.mT + 0.1 * torch.eye(width, dtype=torch.float64)


def forms() -> dict[str, GaussianEmbedding]:
    g = torch.Generator().manual_seed(1)
    mean = torch.randn(N, D, generator=g, dtype=torch.float64)
    spread = torch.rand(N, D, generator=g, dtype=torch.float64)
    leverage = torch.rand(N, generator=g, dtype=torch.float64)
    return {
        "exact": GaussianEmbedding(mean),
        "var": GaussianEmbedding(mean, spread),
        "diagonal": GaussianEmbedding(mean, leverage=leverage, shared=spread[0]),
        "full": GaussianEmbedding(mean, leverage=leverage, shared=spd(D)),
    }


@pytest.mark.parametrize("form", forms())
def test_moments_are_those_of_the_dense_covariance(form: str) -> None:
    rows = forms()[form]
    dense = torch.stack([rows.covariance(i) for i in range(N)])  # [N, D, D]
    torch.testing.assert_close(rows.variance(), dense.diagonal(dim1=1, dim2=2))
    trace = dense.diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(rows.second_moment(), rows.mean.square().sum(1) + trace)
    weights = torch.rand(4, D, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(rows.variance_along(weights), rows.variance() @ weights.mT)


@pytest.mark.parametrize("form", forms())
def test_rows_and_type(form: str) -> None:
    rows = forms()[form]
    assert (len(rows), rows.width, rows.is_exact) == (N, D, form == "exact")
    picked = rows.rows(torch.tensor([3, 0]))
    assert len(picked) == 2
    torch.testing.assert_close(picked.covariance(0), rows.covariance(3))
    torch.testing.assert_close(rows.rows(rows.mean[:, 0] > 0).mean, rows.mean[rows.mean[:, 0] > 0])
    assert rows.to(torch.float32).covariance(1).dtype == torch.float32


def test_smaller_types_become_float32_and_mixed_types_the_larger() -> None:
    half = GaussianEmbedding(torch.ones(2, 2, dtype=torch.float16))
    assert half.mean.dtype == torch.float32
    mixed = GaussianEmbedding(torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64))
    assert mixed.mean.dtype == mixed.variance().dtype == torch.float64


def test_is_frozen() -> None:
    rows = forms()["var"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        rows.mean = rows.mean + 1  # type: ignore[misc]


ONES = torch.ones(N, D)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": torch.ones(D)}, r"mean must be \[N, D\]"),
        ({"mean": ONES.long()}, "mean must be floating point"),
        ({"mean": ONES, "var": torch.ones(N)}, r"var must be \[N, D\] = \(5, 3\)"),
        ({"mean": ONES, "var": -ONES}, "var must not be negative"),
        ({"mean": ONES, "var": ONES, "leverage": torch.ones(N), "shared": torch.ones(D)}, "either var, or"),
        ({"mean": ONES, "leverage": torch.ones(N)}, "belong together"),
        ({"mean": ONES, "shared": torch.ones(D)}, "belong together"),
        ({"mean": ONES, "leverage": torch.ones(D), "shared": torch.ones(D)}, r"leverage must be \[N\]"),
        (
            {"mean": ONES, "leverage": -torch.ones(N), "shared": torch.ones(D)},
            "leverage must not be negative",
        ),
        ({"mean": ONES, "leverage": torch.ones(N), "shared": torch.ones(N)}, "shared must be"),
        ({"mean": ONES, "leverage": torch.ones(N), "shared": torch.ones(N, N)}, "shared must be"),
        ({"mean": ONES, "leverage": torch.ones(N), "shared": -torch.eye(D)}, "diagonal of shared"),
        ({"mean": ONES, "leverage": torch.ones(N), "shared": torch.ones(D, D).triu()}, "symmetric"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianEmbedding(**given)
