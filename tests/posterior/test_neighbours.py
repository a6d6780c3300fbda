"""Distances between Gaussian embeddings against their definitions, and the candidates they give."""

from __future__ import annotations

import pytest
import torch
from posterior_world import D, draw, spd
from torch import Tensor

from probal.gaussian import GaussianEmbedding, cosine_moments
from probal.posterior import Distance, expected_cosine, nearest_to_targets, wasserstein

POOL, TARGETS = 9, 4
SHARED = spd(D, 5)


def embeddings(form: str, n: int, seed: int) -> GaussianEmbedding:
    mean, level = draw(n, D, seed=seed), draw(n, seed=seed + 1).square()
    if form == "var":
        return GaussianEmbedding(mean, draw(n, D, seed=seed + 2).square())
    if form == "shared":
        return GaussianEmbedding(mean, leverage=level, shared=SHARED)
    if form == "diagonal":
        return GaussianEmbedding(mean, leverage=level, shared=SHARED.diagonal())
    return GaussianEmbedding(mean)


def root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.mT


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("exact", "exact"),
        ("shared", "shared"),
        ("var", "var"),
        ("var", "exact"),
        ("diagonal", "var"),
        ("diagonal",) * 2,
    ],
)
def test_wasserstein_against_the_formula_of_dense_gaussians(one: str, two: str) -> None:
    """`|μx − μy|² + tr(Σx + Σy − 2 (Σx^½ Σy Σx^½)^½)` for every pair."""
    x, y = embeddings(one, POOL, 1), embeddings(two, TARGETS, 11)
    found = wasserstein(x, y)
    for i in range(POOL):
        for j in range(TARGETS):
            a, b = x.covariance(i), y.covariance(j)
            truth = (x.mean[i] - y.mean[j]).square().sum() + (a + b).trace()
            truth = truth - 2 * root(root(a) @ b @ root(a)).trace()
            assert float(found[i, j]) == pytest.approx(float(truth), abs=1e-6)


def test_covariances_that_need_not_commute_are_refused() -> None:
    other = GaussianEmbedding(draw(2, D), leverage=torch.ones(2), shared=spd(D, 6))
    for wrong in (other, embeddings("var", 2, 3), embeddings("exact", 2, 3)):
        with pytest.raises(ValueError, match="one shared"):
            wasserstein(embeddings("shared", POOL, 1), wrong)


def test_the_expected_cosine_is_the_mean_of_the_moments() -> None:
    x, y = embeddings("shared", POOL, 1), embeddings("var", TARGETS, 11)
    torch.testing.assert_close(expected_cosine(x, y), cosine_moments(x, y, 1.0).mean)


@pytest.mark.parametrize("distance", list(Distance))
@pytest.mark.parametrize("block", [1, 1 << 22])
def test_the_candidates_are_each_targets_nearest(
    distance: Distance, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probal.posterior.neighbours.BLOCK", block)
    pool, targets = embeddings("shared", POOL, 1), embeddings("shared", TARGETS, 11)
    near = expected_cosine(pool, targets) if distance is Distance.COSINE else -wasserstein(pool, targets)
    for k in (1, 2):
        expected = {i for j in range(TARGETS) for i in near[:, j].argsort(descending=True)[:k].tolist()}
        found = nearest_to_targets(pool, targets, k, distance)
        assert found.tolist() == sorted(expected)


@pytest.mark.parametrize("distance", list(Distance))
def test_a_pool_smaller_than_k_ends(distance: Distance) -> None:
    """The seed's search never returned where there were fewer images than it wanted."""
    pool, targets = embeddings("var", 2, 1), embeddings("var", TARGETS, 11)
    assert nearest_to_targets(pool, targets, 50, distance).tolist() == [0, 1]
    assert len(nearest_to_targets(pool.rows(slice(0, 0)), targets, 5, distance)) == 0


def test_what_cannot_be_searched_is_refused() -> None:
    pool = embeddings("var", POOL, 1)
    with pytest.raises(ValueError, match="k of at least 1"):
        nearest_to_targets(pool, pool, 0)
    with pytest.raises(ValueError, match="some target"):
        nearest_to_targets(pool, pool.rows(slice(0, 0)), 1)
    with pytest.raises(FloatingPointError, match="not finite"):
        nearest_to_targets(pool, GaussianEmbedding(torch.full((1, D), float("nan"), dtype=torch.float64)), 1)
