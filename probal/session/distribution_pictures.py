"""Pictures of the distribution around one image's embedding: its neighbours in the pool, or latent diffusion.

Shapes use the glossary of `probal.types`: D embedding width, K samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from probal.encoders import make_torchvision_importable
from probal.errors import UserError
from probal.pool.decode import UnreadableImage, open_image
from probal.pool.features import FeatureStore
from probal.probvlm import nearest_to_samples
from probal.probvlm.diffusion import variations
from probal.random import torch_generator
from probal.session.ambiguity import trained_probvlm
from probal.session.vectors import ProjectVectors
from probal.types import ImageInfo, Project, Role
from probal.workspace import Workspace

TILE, GAP, LINE = 160, 8, 16
"""Pixels of a contact sheet: an image, the space around it, its line of text."""


@dataclass(frozen=True)
class PoolNeighbour:
    """A pool image as part of another one's distribution."""

    image: ImageInfo
    share: float
    """Of the samples, to which no other image is nearer."""
    cosine: float
    """Largest one to a sample."""


def neighbours(
    workspace: Workspace, project: Project, path: str, samples: int = 256
) -> tuple[ImageInfo, tuple[PoolNeighbour, ...]]:
    """The image at `path` in the project, and the pool images nearest to samples of its distribution.

    The largest share first. What the samples are compared with are the other images' means: what each is to the
    head. UserError for an unknown image, or where no ProbVLM is trained.
    """
    vectors = ProjectVectors(workspace, project)
    found = trained_probvlm(vectors, workspace, project)
    image = image_at(vectors, path)
    pool, x = vectors.pool()
    others = [i for i, each in enumerate(pool) if each.id != image.id]
    if not others:
        raise UserError(f"the pool of '{project.name}' holds no other image to compare {path} with")
    means = torch.cat([found.model.image_density(rows).mean for rows in x[others].split(4096)])  # [M,D]
    generator = torch_generator(project.config.seed, "neighbours", image.content_hash)
    index, cosine = nearest_to_samples(
        found.model.image_density(vectors.read([image])), means, samples, generator
    )
    counts = np.bincount(index[0].numpy(), minlength=len(others))
    nearest = [
        PoolNeighbour(pool[others[i]], counts[i] / samples, float(cosine[0][index[0] == i].max()))
        for i in np.flatnonzero(counts)
    ]
    return image, tuple(sorted(nearest, key=lambda each: (-each.share, -each.cosine)))


def diffused(
    workspace: Workspace, project: Project, path: str, pipeline: Any, k: int, steps: int
) -> list[Image.Image]:
    """K + 1 pictures by an image-variation pipeline: of the image's embedding, then of K samples around it.

    See `probal.probvlm.diffusion.variations`. UserError for an unknown image, another width than the pipeline's,
    or where no ProbVLM is trained.
    """
    vectors = ProjectVectors(workspace, project)
    found = trained_probvlm(vectors, workspace, project)
    image = image_at(vectors, path)
    unit = vectors.read([image])
    space = vectors.space
    raw = FeatureStore(workspace.features_dir, space.fingerprint, space.width).read([image.content_hash])
    generator = torch_generator(project.config.seed, "diffusion", image.content_hash)
    density = found.model.image_density(unit)
    return variations(density, unit, float(np.linalg.norm(raw)), pipeline, k, generator, steps)


def load_pipeline(source: str) -> Any:
    """The image-variation pipeline in a folder or of a hub's name. UserError where it cannot be had."""
    make_torchvision_importable()  # transformers, which diffusers imports, imports it
    try:
        from diffusers import StableDiffusionImageVariationPipeline
    except ImportError as error:
        raise UserError(
            "latent diffusion needs the extra diffusion: pip install 'probal[diffusion]'"
        ) from error
    try:
        return StableDiffusionImageVariationPipeline.from_pretrained(source)
    except (OSError, ValueError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"no image-variation pipeline at {source}: {first}") from error


def image_at(vectors: ProjectVectors, path: str) -> ImageInfo:
    """The readable image of that path relative to the project's folder. UserError where there is none."""
    images = vectors.images(Role.POOL, Role.AUDIT, Role.TEST)
    for image in images:
        if path in (image.path, image.content_hash):
            return image
    raise UserError(
        f"no readable image {path!r} in the project: give its path in the image folder, such as {images[0].path!r}"
    )


def contact_sheet(tiles: Sequence[tuple[Image.Image, str]], columns: int = 5) -> Image.Image:
    """RGB images with a line of text each, in rows of `columns`; the first is framed."""
    if not tiles:
        raise ValueError("a contact sheet needs at least one image")
    across = min(columns, len(tiles))
    down = -(-len(tiles) // across)
    cell = TILE + GAP
    sheet = Image.new("RGB", (across * cell + GAP, down * (cell + LINE) + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (image, text) in enumerate(tiles):
        left, top = GAP + i % across * cell, GAP + i // across * (cell + LINE)
        small = image.copy()
        small.thumbnail((TILE, TILE))
        sheet.paste(small, (left + (TILE - small.width) // 2, top + (TILE - small.height) // 2))
        if i == 0:
            draw.rectangle((left - 3, top - 3, left + TILE + 2, top + TILE + 2), outline="red", width=2)
        draw.text((left, top + TILE + 2), text, fill="black")
    return sheet


def neighbour_sheet(
    project: Project, image: ImageInfo, nearest: Sequence[PoolNeighbour], columns: int = 5
) -> Image.Image:
    """The image, framed, and its neighbours with the share of samples that each is nearest to."""
    root = Path(project.config.image_root or "")
    tiles = [(image, "this image"), *((each.image, f"{each.share:.0%} of samples") for each in nearest)]
    try:
        return contact_sheet([(open_image(root / each.path), text) for each, text in tiles], columns)
    except UnreadableImage as error:
        raise UserError(f"an image of the sheet cannot be read any more: {error}") from error
