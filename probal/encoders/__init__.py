"""Encoders: images and class prompts to vectors of one space. Importing this loads no torch."""

from probal.encoders.base import Encoder
from probal.encoders.registry import check_encoder_id, load_encoder

__all__ = ["Encoder", "check_encoder_id", "load_encoder"]
