"""What BayesVLM needs of an encoder: each tower's last linear map, and what goes into it.

A tower's embedding is `z = W a + b + r`: activations a [P], weight W [D, P], bias b [D] where there is one, and
a residual r [D] where the tower adds one behind the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from probal.encoders.base import Encoder
from probal.errors import UserError


class LinearMap(NamedTuple):
    """The last layer of a tower, float32."""

    weight: np.ndarray  # [D, P]
    bias: np.ndarray | None  # [D]


class Activations(NamedTuple):
    """What the last layer reads, and what is added behind it; float32."""

    values: np.ndarray  # [B, P]
    residual: np.ndarray | None  # [B, D]


def embeddings_of(layer: LinearMap, found: Activations) -> np.ndarray:
    """The tower's embeddings `z = W a + b + r`, [B, D] float32."""
    z = found.values @ layer.weight.T
    if layer.bias is not None:
        z = z + layer.bias
    return z if found.residual is None else z + found.residual


def activation_width(encoder: Encoder) -> int | None:
    """P of the image tower; None where the encoder tells no activations or its tower does not end in a linear map."""
    if not isinstance(encoder, ActivationEncoder):
        return None
    try:
        return encoder.image_projection().weight.shape[1]
    except UserError:  # what `image_projection` says of such a tower; its vectors are used without
        return None


@runtime_checkable
class ActivationEncoder(Encoder, Protocol):
    """An encoder that can tell activations; D is its width, P may differ between the two towers.

    Every method raises UserError for a tower that does not end in a linear map.
    """

    def image_projection(self) -> LinearMap:
        """The image tower's last layer."""
        ...

    def text_projection(self) -> LinearMap:
        """The text tower's last layer."""
        ...

    def encode_activations(self, batch: np.ndarray) -> Activations:
        """Stacked results of `prepare` [B, …] to the image tower's activations [B, P]."""
        ...

    def encode_text_activations(self, texts: Sequence[str]) -> Activations:
        """Prompts to the text tower's activations [C, P]."""
        ...
