"""Pictures of an embedding's distribution by latent diffusion (extra `diffusion`).

Samples of the distribution stand where an image-variation pipeline of `diffusers` has the image's embedding
(arXiv 2307.00398 shows such pictures). Shapes use the glossary of `probal.types`: D embedding width, K samples.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from probal.errors import UserError
from probal.probvlm.density import GeneralizedGaussian


class _Given(nn.Module):
    """An image encoder that is handed the embedding itself."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.like = nn.Parameter(
            torch.zeros((), dtype=dtype), requires_grad=False
        )  # tells the pipeline its type

    @property
    def device(self) -> torch.device:
        return self.like.device

    def forward(self, embedding: Tensor) -> SimpleNamespace:
        return SimpleNamespace(image_embeds=embedding)


def variations(
    density: GeneralizedGaussian,
    embedding: Tensor,
    length: float,
    pipeline: Any,
    k: int,
    generator: torch.Generator,
    steps: int = 30,
    guidance: float = 3.0,
) -> list[Image.Image]:
    """K + 1 pictures of one image: of its own embedding, then of K samples around it.

    All start from the same latent noise, so what differs between them is the embedding. The samples are drawn around
    `embedding` and not around the density's mean: at the default λ that mean lies among the texts, and the pipeline
    was trained on embeddings of images.

    Args:
        density: one row of width D, of the unit embedding.
        embedding: [1, D] the image's unit embedding.
        length: norm of the encoder's raw embedding, which the pipeline was trained on.

    Raises UserError where the pipeline reads embeddings of another width.
    """
    expected = pipeline.unet.config.cross_attention_dim
    if embedding.shape[1] != expected:
        raise UserError(
            f"this pipeline reads embeddings of width {expected}, the project's encoder gives {embedding.shape[1]}: "
            "use the encoder that the pipeline was trained with"
        )
    around = GeneralizedGaussian(embedding, density.alpha, density.beta)
    samples = torch.cat([embedding, around.sample(k, generator)[:, 0]])  # [K+1, D]
    samples = length * nn.functional.normalize(samples, dim=1)
    unet = pipeline.unet
    noise = torch.randn(
        1, unet.config.in_channels, unet.config.sample_size, unet.config.sample_size, generator=generator
    )
    parts = {
        **pipeline.components,
        "image_encoder": _Given(unet.dtype),
    }  # a copy: the caller's stays as it is
    drawn = type(pipeline)(**parts, requires_safety_checker=pipeline.config.requires_safety_checker)
    drawn.set_progress_bar_config(disable=True)
    images: list[Image.Image] = []
    for sample in samples:
        found = drawn(sample[None], latents=noise, num_inference_steps=steps, guidance_scale=guidance)
        images += found.images
    return images
