"""Encoders: images and class prompts to vectors of one space. Importing this loads no torch."""

from probal.encoders._torchvision import make_torchvision_importable
from probal.encoders.activations import (
    ActivationEncoder,
    Activations,
    LinearMap,
    activation_width,
    embeddings_of,
)
from probal.encoders.base import Encoder
from probal.encoders.registry import check_encoder_id, load_encoder, resolve_encoder_id

__all__ = [
    "ActivationEncoder",
    "Activations",
    "Encoder",
    "LinearMap",
    "activation_width",
    "check_encoder_id",
    "embeddings_of",
    "load_encoder",
    "make_torchvision_importable",
    "resolve_encoder_id",
]
