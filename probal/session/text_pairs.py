"""Images with what is said of them, as ProbVLM trains on them: labeled images with prompts, and captions.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from probal.encoders import Encoder
from probal.errors import UserError
from probal.label_import.captions import Caption
from probal.pool.embed import embed_images
from probal.pool.features import FeatureStore
from probal.session.prepare import Report
from probal.session.space import prompts_of, unit_rows
from probal.session.vectors import ProjectVectors
from probal.store import Store
from probal.types import Project, Role
from probal.workspace import Workspace

TEXTS_AT_ONCE = 256


@dataclass(frozen=True)
class TextPair:
    """An image file and one text of it."""

    content_hash: str
    file: Path
    text: str


@dataclass(frozen=True, eq=False)
class JointSpace:
    """An encoder with its cached vectors and the centre that image vectors are moved by."""

    encoder: Encoder
    features: FeatureStore
    centre: np.ndarray | None  # [D]

    def images(self, files: Sequence[tuple[str, Path]], report: Report) -> Tensor:
        """Unit rows [n,D] of (content hash, file); encodes those that have no vector yet."""
        done = embed_images(
            self.encoder,
            self.features,
            files,
            progress=lambda done, total: report(done, total, "Computing image vectors"),
        )
        if done.failed:
            where = dict(files)[done.failed[0][0]]
            raise UserError(f"{len(done.failed)} images cannot be read; {where}: {done.failed[0][1]}")
        return torch.from_numpy(unit_rows(self.features.read([each for each, _ in files]), self.centre))

    def texts(self, texts: Sequence[str], report: Report) -> Tensor:
        """Unit rows [n,D]; each different text is encoded once."""
        row = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        different = list(row)
        parts = []
        for start in range(0, len(different), TEXTS_AT_ONCE):
            report(start, len(different), "Computing text vectors")
            parts.append(unit_rows(self.encoder.encode_texts(different[start : start + TEXTS_AT_ONCE])))
        return torch.from_numpy(np.concatenate(parts))[torch.tensor([row[text] for text in texts])]


def label_pairs(
    workspace: Workspace, project: Project, vectors: ProjectVectors, default_template: str
) -> list[TextPair]:
    """The labeled pool images with their classes' prompts; audit and test labels never train."""
    classes = vectors.classes
    prompts = prompts_of(project.config.template or default_template, classes)
    prompt = dict(zip((each.id for each in classes), prompts, strict=True))
    images = {image.id: image for image in vectors.images(Role.POOL)}
    root = Path(project.config.image_root or "")
    return [
        TextPair(
            images[label.image_id].content_hash, root / images[label.image_id].path, prompt[label.class_id]
        )
        for label in workspace.store.current_labels(project.id, Role.POOL)
        if label.image_id in images and label.class_id in prompt
    ]


def caption_pairs(store: Store, project: Project, captions: Sequence[Caption]) -> tuple[list[TextPair], int]:
    """The captions with their images, and how many were left out: those of audit and test images.

    UserError naming the first image that is neither in the project nor a file.
    """
    root = Path(project.config.image_root or "")
    images = {image.path: image for image in store.images(project.id)}
    measuring = {image.content_hash for image in images.values() if image.role is not Role.POOL}
    pairs = []
    for each in captions:
        image = images.get(each.path)
        file = root / each.path if image else each.folder / Path(each.path).expanduser()
        if image is None and not file.is_file():
            raise UserError(
                f"the pairs name the image {each.path!r}, which is neither in the project nor in {each.folder}"
            )
        content_hash = image.content_hash if image else _digest(file)
        if content_hash not in measuring:
            pairs.append(TextPair(content_hash, file, each.text))
    return pairs, len(captions) - len(pairs)


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"the image {file} of the pairs cannot be read: {error.strerror}") from error
