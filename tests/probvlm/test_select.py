"""Encoders are ranked by noise over signal, whatever their unit, width or offset."""

from itertools import pairwise

import pytest
import torch

from probal.errors import UserError
from probal.probvlm import ProbEmbedding, rank_encoders


def embedding(noise, n=50, d=4, scale=1.0, offset=0.0):
    mean = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
    var = noise * torch.linspace(0.5, 1.5, n)[:, None].expand(n, d)
    return ProbEmbedding(offset + scale * mean, 0.75 * scale**2 * var, 0.25 * scale**2 * var)


def test_the_least_uncertain_comes_first():
    ranked = rank_encoders({"noisy": embedding(0.5), "clear": embedding(0.1), "middle": embedding(0.2)})
    assert [r.encoder for r in ranked] == ["clear", "middle", "noisy"]
    assert all(a.noise_to_signal + 2 * a.error < b.noise_to_signal for a, b in pairwise(ranked))


def test_value_is_the_ratio_of_variances():
    found = embedding(0.3)
    (ranked,) = rank_encoders({"one": found})
    signal = float((found.mean - found.mean.mean(0)).square().sum() / 49)
    noise = (found.aleatoric + found.epistemic).sum(1)
    assert ranked.noise_to_signal == pytest.approx(float(noise.mean()) / signal, rel=1e-5)
    assert ranked.error == pytest.approx(float(noise.std()) / 50**0.5 / signal, rel=1e-5)


def test_unit_and_offset_do_not_matter():
    """Mean variance alone, as in the paper, would rank by the unit."""
    plain, other = embedding(0.3), embedding(0.3, scale=100.0, offset=700.0)
    a, b = rank_encoders({"a": plain, "b": other})
    assert a.noise_to_signal == pytest.approx(b.noise_to_signal, rel=1e-3)


def test_wrong_pools_are_refused():
    constant = ProbEmbedding(torch.ones(5, 2), torch.ones(5, 2), torch.ones(5, 2))
    for candidates, message in (
        ({}, "no encoder to rank"),
        ({"a": embedding(0.1), "b": embedding(0.1, n=20)}, "one pool"),
        ({"a": embedding(0.1, n=1)}, "at least 2 images"),
        ({"a": constant}, "the same embedding"),
    ):
        with pytest.raises(UserError, match=message):
            rank_encoders(candidates)
