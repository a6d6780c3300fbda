"""Heads over frozen embeddings: z [N, D] to μ, α, β of a generalized Gaussian per dimension (2307.00398).

A residual MLP: `μ = z + s·f(z)`, `α = s·(softplus(a(z)) + floor)`, `β = softplus(b(z)) + floor`, with s [D] the
size of the differences between paired embeddings, so that nothing depends on the unit of the embedding.
Dropout masks are arguments: none gives the deterministic head, drawn ones a sampled network for MC dropout.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, softplus

from probal.probvlm.density import GeneralizedGaussian

ALPHA_FLOOR = 1e-3
"""Smallest α over s: keeps the likelihood bounded where an embedding is reproduced exactly."""
BETA_FLOOR, BETA_CEILING = 0.5, 16.0
"""At β = 0.5 the variance is 120 α²; above 16 the density is a box to float32."""
ALPHA_START, BETA_START = 0.7, 1.5
SMALLEST_SPREAD = 1e-6


class Head(nn.Module):
    """One modality's head. `layers` hidden layers of `hidden` units, at least one, all but the first residual.

    Before training μ = z, α = 0.7 s and β = 1.5 for every z. Weights are drawn with `generator`.
    """

    centre: Tensor  # [D]
    radius: Tensor  # [D]
    spread: Tensor  # [D]

    def __init__(self, width: int, hidden: int, layers: int, dropout: float, generator: torch.Generator):
        super().__init__()
        self.width, self.hidden, self.dropout = width, hidden, dropout
        sizes = [width] + [hidden] * layers
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Linear, fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)
        )
        self.out = nn.utils.skip_init(nn.Linear, hidden, 3 * width)
        for name in ("centre", "radius", "spread"):
            self.register_buffer(name, torch.zeros(width) if name == "centre" else torch.ones(width))
        with torch.no_grad():
            for i, layer in enumerate(self.linear_layers()):
                branches = (
                    layers if i else 1
                )  # residual branches add up: their sum keeps its size at any depth
                layer.weight.normal_(0.0, (2 / (layer.in_features * branches)) ** 0.5, generator=generator)
                layer.bias.zero_()
            self.out.weight.zero_()
            starts = (
                0.0,
                _inverse_softplus(ALPHA_START - ALPHA_FLOOR),
                _inverse_softplus(BETA_START - BETA_FLOOR),
            )
            self.out.bias.copy_(torch.tensor(starts).repeat_interleave(width))

    def linear_layers(self) -> Iterator[nn.Linear]:
        """The hidden layers, in order."""
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            yield layer

    @torch.no_grad()
    def measure(self, z: Tensor, other: Tensor) -> None:
        """Freezes centre and radius of z [n, D], and s = root mean square of `other − z` [n, D], all [D]."""
        self.centre.copy_(z.mean(0))
        self.radius.copy_((z - z.mean(0)).square().mean(0).sqrt().clamp_min(SMALLEST_SPREAD))
        self.spread.copy_((other - z).square().mean(0).sqrt().clamp_min(SMALLEST_SPREAD))

    def masks(self, rows: int, generator: torch.Generator) -> list[Tensor]:
        """One inverted-dropout mask [rows, hidden] per layer: 0 with probability `dropout`, else 1/(1 − p)."""
        keep = 1 - self.dropout
        chance = torch.full((rows, self.hidden), keep)
        return [torch.bernoulli(chance, generator=generator) / keep for _ in self.layers]

    def forward(self, z: Tensor, masks: list[Tensor] | None = None) -> GeneralizedGaussian:
        """z [N, D], masks [N or 1, hidden] per layer -> N × D generalized Gaussians."""
        x = (z - self.centre) / self.radius  # [N, D]
        for i, layer in enumerate(self.layers):
            h = gelu(layer(x))  # [N, hidden]
            if masks is not None:
                h = h * masks[i]
            x = h if i == 0 else x + h
        shift, a, b = self.out(x).chunk(3, dim=1)  # [N, D] each
        return GeneralizedGaussian(
            mean=z + self.spread * shift,
            alpha=self.spread * (softplus(a) + ALPHA_FLOOR),
            beta=(softplus(b) + BETA_FLOOR).clamp_max(BETA_CEILING),
        )


def _inverse_softplus(y: float) -> float:
    return math.log(math.expm1(y))
