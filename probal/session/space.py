"""The space of a project: how raw vectors become unit rows, and where its classes lie in it.

Shapes use the glossary of `probal.types`. The centre is frozen when the first images are embedded, so that a pool
that grows later does not move what the labels were given for; prototypes follow the classes' prompts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor

from probal.encoders import Encoder
from probal.encoders.vectors import VectorEncoder
from probal.gaussian import GaussianEmbedding
from probal.pool.features import FeatureStore
from probal.types import ClassInfo


@dataclass(frozen=True)
class Space:
    """An encoder's joint space as one project uses it."""

    fingerprint: str
    """Of the encoder."""
    scale: float
    """The encoder's logit scale."""
    centre: np.ndarray | None  # [D]
    prototypes: np.ndarray  # [C,D] unit rows, in the order of `class_ids`
    class_ids: tuple[int, ...]

    @property
    def width(self) -> int:
        """D."""
        return self.prototypes.shape[1]

    def unit(self, vectors: np.ndarray) -> Tensor:
        """Raw encoder vectors [N,D] to unit rows, float32; a vector at the centre stays zero."""
        return torch.from_numpy(unit_rows(vectors, self.centre))

    def prior(self) -> GaussianEmbedding:
        """The prototypes as exact prior means of the adapters."""
        return GaussianEmbedding(torch.from_numpy(self.prototypes))


def unit_rows(vectors: np.ndarray, centre: np.ndarray | None = None) -> np.ndarray:
    """Rows less the centre, at unit length, [N,D] float32; zero rows stay zero."""
    moved = vectors.astype(np.float32) if centre is None else vectors.astype(np.float32) - centre
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    return moved / np.where(length > 0, length, 1)


def prompts_of(template: str, classes: Sequence[ClassInfo]) -> list[str]:
    """What the encoder reads for each class: its own prompt or else the template, filled with its name."""
    # str.replace, not str.format: braces in a class name are the user's
    return [(each.prompt or template).replace("{}", each.name) for each in classes]


def mean_vector(features: FeatureStore, hashes: Sequence[str], chunk: int = 8192) -> np.ndarray:
    """Mean of stored raw vectors, [D] float32, in one pass of bounded memory."""
    total = np.zeros(features.width, np.float64)
    for start in range(0, len(hashes), chunk):
        total += features.read(hashes[start : start + chunk]).sum(0, dtype=np.float64)
    return (total / max(len(hashes), 1)).astype(np.float32)


def build_space(
    folder: Path,
    template: str | None,
    classes: Sequence[ClassInfo],
    encoder: Callable[[], Encoder],
    facts: EncoderFacts,
    centre: np.ndarray | None,
) -> Space:
    """The space for these classes; prototypes are cached in `folder` by fingerprint and prompts.

    `template` is the project's, None for the encoder's own. `encoder` is called only when they are not there yet:
    loading one takes seconds.
    """
    prompts = prompts_of(template or facts.default_template, classes)
    key = hashlib.sha256(json.dumps([facts.fingerprint, prompts]).encode()).hexdigest()[:32]
    path = folder / f"prototypes-{key}.safetensors"
    if path.exists():
        prototypes = load_file(path)["prototypes"]
    else:
        model = encoder()
        # own vectors know only the classes of their file; one that came later starts from a zero prior mean
        rows = model.class_rows(prompts) if isinstance(model, VectorEncoder) else model.encode_texts(prompts)
        prototypes = unit_rows(rows)
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        save_file({"prototypes": prototypes}, partial)
        partial.replace(path)
    return Space(facts.fingerprint, facts.scale, centre, prototypes, tuple(each.id for each in classes))


@dataclass(frozen=True)
class EncoderFacts:
    """What a project needs of its encoder once the images are embedded, kept with the project as JSON."""

    fingerprint: str
    width: int
    scale: float
    centred: bool
    default_template: str

    @classmethod
    def of(cls, encoder: Encoder) -> EncoderFacts:
        return cls(
            encoder.fingerprint, encoder.width, encoder.scale, encoder.centred, encoder.default_template
        )
