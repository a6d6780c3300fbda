"""What BayesVLM reads of a project: its encoder's last layers, and what goes into them for images and texts.

Shapes use the glossary of `probal.types`. An encoder that tells its activations has `z = W a + b (+ r)` with its own
W. One whose vectors are centred features (`embedded`) is its own last layer: W is the identity, a is the centred
vector. Activations are kept beside the vectors, by content hash, and computed once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from torch import Tensor

from probal.encoders import ActivationEncoder, Encoder
from probal.encoders.vectors import VectorEncoder
from probal.errors import UserError
from probal.pool.embed import embed_images
from probal.pool.features import FeatureStore
from probal.posterior import InfoNCE, Likelihood, Projection, SigLIP
from probal.session.prepare import ENCODER_FACTS, Report
from probal.session.space import EncoderFacts, prompts_of
from probal.session.vectors import ProjectVectors
from probal.types import Project
from probal.workspace import Workspace


class _ActivationTower:
    """The image tower cut before its last layer, as something `embed_images` can run."""

    def __init__(self, encoder: ActivationEncoder) -> None:
        self._encoder = encoder

    def prepare(self, image: Image.Image) -> np.ndarray:
        return self._encoder.prepare(image)

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        return self._encoder.encode_activations(batch).values


class Towers:
    """The two towers of a project's encoder before their last layers; loads the encoder when it must."""

    def __init__(self, workspace: Workspace, project: Project, vectors: ProjectVectors) -> None:
        self._workspace = workspace
        self._project = project
        self._vectors = vectors

    def prompts(self) -> list[str]:
        """What the text tower reads for each class in use."""
        self._vectors.space  # noqa: B018  # says what to do where the images are not embedded yet
        facts = EncoderFacts(**self._workspace.store.get_setting(self._project.id, ENCODER_FACTS))
        return prompts_of(self._project.config.template or facts.default_template, self._vectors.classes)

    @property
    def identity(self) -> bool:
        """Whether the encoder is its own last layer. UserError where it is not, and tells no activations."""
        encoder = self._vectors.encoder()
        tells = isinstance(encoder, ActivationEncoder)
        if not tells and (isinstance(encoder, VectorEncoder) or not encoder.centred):
            raise UserError(
                f"the encoder {encoder.id!r} tells no activations, so BayesVLM has no layer to be uncertain about; "
                "make a project with `embedded` or an open_clip model"
            )
        return not tells

    def projections(self) -> tuple[Projection, Projection]:
        """The last layers of the image and of the text tower. UserError where a tower has none."""
        encoder = self._vectors.encoder()
        if self.identity:
            own = Projection.identity(encoder.width)
            return own, own
        assert isinstance(encoder, ActivationEncoder)
        image, text = (
            Projection(
                torch.from_numpy(each.weight), None if each.bias is None else torch.from_numpy(each.bias)
            )
            for each in (encoder.image_projection(), encoder.text_projection())
        )
        return image, text

    def likelihood(self) -> Likelihood:
        """The loss that the towers were trained with: SigLIP's where the model has a logit bias."""
        encoder = self._vectors.encoder()
        bias = logit_bias(encoder)
        return InfoNCE(encoder.scale) if bias is None else SigLIP(encoder.scale, bias)

    def embed(
        self, items: Sequence[tuple[str, Path]], progress: Report | None = None
    ) -> tuple[tuple[str, str], ...]:
        """Vectors of images that may be no part of the project, kept with its own.

        Returns (content hash, reason) of what could not be read.
        """
        space = self._vectors.space
        store = FeatureStore(self._workspace.features_dir, space.fingerprint, space.width)
        if not store.missing([content_hash for content_hash, _ in items]):
            return ()
        told = (
            None if progress is None else lambda done, total: progress(done, total, "Computing image vectors")
        )
        return embed_images(self._vectors.encoder(), store, items, told).failed

    def embeddings(self, hashes: Sequence[str]) -> Tensor:
        """What the tower gives [N,D] float32, bias and residual in it, less the project's centre."""
        space = self._vectors.space
        store = FeatureStore(self._workspace.features_dir, space.fingerprint, space.width)
        found = store.read(hashes)
        return torch.from_numpy(found if space.centre is None else found - space.centre)

    def activations(
        self, items: Sequence[tuple[str, Path]], columns: int, identity: bool, progress: Report | None = None
    ) -> Tensor:
        """Activations [N,P] float32 of images as (content hash, file); those not kept yet are computed.

        `columns` and `identity` are the posterior's, so that no encoder is loaded for what is there already.
        Raises UserError for a file that cannot be read any more.
        """
        hashes = [content_hash for content_hash, _ in items]
        if identity:
            return self.embeddings(hashes)
        store = FeatureStore(
            self._workspace.features_dir, f"{self._vectors.space.fingerprint}activations", columns
        )
        if store.missing(hashes):
            self._compute(store, items, progress)
        return torch.from_numpy(store.read(hashes))

    def _compute(
        self, store: FeatureStore, items: Sequence[tuple[str, Path]], progress: Report | None
    ) -> None:
        encoder = self._vectors.encoder()
        assert isinstance(encoder, ActivationEncoder)
        told = None if progress is None else lambda done, total: progress(done, total, "Reading activations")
        outcome = embed_images(cast(Encoder, _ActivationTower(encoder)), store, items, told)
        if outcome.failed:
            content_hash, reason = outcome.failed[0]
            path = next(path for known, path in items if known == content_hash)
            raise UserError(
                f"{path} cannot be read any more ({reason}): run probal embed, then do this again; "
                "what was computed is kept"
            )

    def texts(self, texts: Sequence[str], identity: bool) -> tuple[Tensor, Tensor | None]:
        """Activations [C,P] of texts and what their tower adds behind its last layer, [C,D] or None.

        Kept by the texts: the encoder is loaded once for a list of prompts.
        """
        fingerprint = self._vectors.space.fingerprint
        key = hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()[:32]
        path = self._workspace.features_dir / fingerprint / f"text-activations-{key}.safetensors"
        if not path.exists():
            save(path, self._encode_texts(texts, identity))
        found = load_file(path)
        residual = found.get("residual")
        return torch.from_numpy(found["values"]), None if residual is None else torch.from_numpy(residual)

    def _encode_texts(self, texts: Sequence[str], identity: bool) -> dict[str, np.ndarray]:
        encoder = self._vectors.encoder()
        if identity:
            return {"values": encoder.encode_texts(texts)}
        assert isinstance(encoder, ActivationEncoder)
        found = encoder.encode_text_activations(texts)
        tensors = {"values": np.ascontiguousarray(found.values)}
        if found.residual is not None:
            tensors["residual"] = np.ascontiguousarray(found.residual)
        return tensors


def logit_bias(encoder: Encoder) -> float | None:
    """Of a model with a Bernoulli for each pair (SigLIP); None for a softmax over a batch."""
    found = getattr(encoder, "logit_bias", None)
    return None if found is None else float(found)


def save(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Safetensors at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)
