"""Making a project's posterior: from its own pool without labels, from captioned images, or from published factors.

Shapes use the glossary of `probal.types`. Source: BayesVLM (arXiv 2412.06014), section 3. The loss is the encoder's
own: InfoNCE, or the Bernoulli of each pair for SigLIP.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from probal.errors import UserError
from probal.posterior import (
    Damping,
    InfoNCE,
    Likelihood,
    Projection,
    SigLIP,
    fit_posterior,
    load_published,
    measure_label_free,
    measure_pairs,
    span_of,
)
from probal.random import derive_seed
from probal.session.posterior_files import PosteriorRecord, ProjectPosterior
from probal.session.prepare import Report
from probal.session.text_pairs import TextPair
from probal.session.towers import Towers
from probal.session.vectors import ProjectVectors
from probal.types import ImageInfo, Project, Role
from probal.workspace import Workspace

MAX_POOL = 10_000
"""Pool images that the label-free curvature is averaged over; more change its shape by less than the rest does."""
MAX_CONTRAST = 1024
"""Pool images that each class text is contrasted with."""
FEWEST_PAIRS = 2


class Estimator:
    """Everything an estimate reads of a prepared project."""

    def __init__(self, project: Project, vectors: ProjectVectors, towers: Towers, prompts: Sequence[str]):
        self._project = project
        self._vectors = vectors
        self._towers = towers
        self._prompts = list(prompts)

    def label_free(
        self, damping: Damping, pseudo_count: float, progress: Report | None = None
    ) -> ProjectPosterior:
        """Images of the pool against the class prompts: the shape only, worth `pseudo_count` images.

        The image tower is uncertain in the span of the class texts only: other output directions were seen by no
        likelihood, and the zero-mean evidence would make them all noise.
        """
        if not pseudo_count > 0 or pseudo_count == float("inf"):
            raise UserError(f"the pseudo-count must be a positive number of images, got {pseudo_count}")
        identity, (image, text) = self._towers.identity, self._towers.projections()
        loss = self._towers.likelihood()
        images = self._sample(self._vectors.images(Role.POOL))
        a = self._towers.activations(self._items(images), _width(image), identity, progress)
        z = self._towers.embeddings([each.content_hash for each in images])
        keep = z.norm(dim=1) > 0  # an image at the centre has no direction to be uncertain in
        a, z = a[keep], z[keep]
        if not len(a):
            raise UserError(f"no image of '{self._project.name}' has a vector that differs from the mean")
        b, text_residual = self._towers.texts(self._prompts, identity)
        t = text.apply(b, text_residual)
        _step(progress, 1, "Measuring the image tower")
        own = measure_label_free(image, a, t, loss, pseudo_count, _residual(image, a, z))
        image_tower = fit_posterior(image, own, damping, span=span_of(t))
        _step(progress, 2, "Measuring the text tower")
        others = z[:MAX_CONTRAST]
        theirs = measure_label_free(text, b, others, loss, pseudo_count, text_residual)
        text_tower = fit_posterior(text, theirs, damping, span=span_of(others))
        record = self._record("label-free", None, loss, float(len(a)), pseudo_count)
        return ProjectPosterior(record, image_tower, text_tower)

    def pairs(
        self, pairs: Sequence[TextPair], origin: Path, damping: Damping, progress: Report | None = None
    ) -> ProjectPosterior:
        """Image–caption pairs, each contrasted with the others as in training; `origin` is their file."""
        if len(pairs) < FEWEST_PAIRS:
            raise UserError(
                f"{origin} has {len(pairs)} pairs to measure on: a pair needs others to contrast with, at least "
                f"{FEWEST_PAIRS}, and thousands are good"
            )
        identity, (image, text) = self._towers.identity, self._towers.projections()
        loss = self._towers.likelihood()
        items = [(pair.content_hash, pair.file) for pair in pairs]
        failed = self._towers.embed(items, progress)
        if failed:
            raise UserError(f"{dict(items)[failed[0][0]]} cannot be read: {failed[0][1]}")
        a = self._towers.activations(items, _width(image), identity, progress)
        z = self._towers.embeddings([pair.content_hash for pair in pairs])
        _step(progress, 0, "Reading the captions")
        b, text_residual = self._towers.texts([pair.text for pair in pairs], identity)
        t = text.apply(b, text_residual)
        # a pair without a direction on either side has nothing to contrast
        keep = (z.norm(dim=1) > 0) & (t.norm(dim=1) > 0)
        a, z, b, t = a[keep], z[keep], b[keep], t[keep]
        text_residual = None if text_residual is None else text_residual[keep]
        _step(progress, 1, "Measuring the image tower")
        images = fit_posterior(image, measure_pairs(image, a, t, loss, _residual(image, a, z)), damping)
        _step(progress, 2, "Measuring the text tower")
        texts = fit_posterior(text, measure_pairs(text, b, z, loss, text_residual), damping)
        record = self._record("pairs", str(origin.resolve()), loss, float(len(a)), 0.0)
        return ProjectPosterior(record, images, texts)

    def published(self, directory: Path, damping: Damping) -> ProjectPosterior:
        """The authors' factors of this very model; with factored damping at the λ that they publish.

        For exact damping λ is fitted anew: theirs belongs to the other form.
        """
        found = load_published(directory)
        if self._towers.identity:
            raise UserError(
                f"published factors belong to a model's last layers, and the encoder {self._vectors.encoder().id!r} "
                "has none of its own: make a project with the open_clip model that they are of"
            )
        image, text = self._towers.projections()
        theirs = damping is Damping.FACTORED
        towers = []
        for name, tower, projection in (("image", found.image, image), ("text", found.text, text)):
            try:
                towers.append(tower.posterior(projection, damping, theirs))
            except UserError as error:
                raise UserError(f"{name} tower: {error}") from error
        record = self._record(
            "published",
            str(Path(directory).resolve()),
            self._towers.likelihood(),
            found.image.curvature.count,
            0.0,
        )
        return ProjectPosterior(record, *towers)

    def _record(
        self, source: str, origin: str | None, loss: Likelihood, count: float, pseudo_count: float
    ) -> PosteriorRecord:
        encoder = self._vectors.encoder()
        siglip = isinstance(loss, SigLIP)
        return PosteriorRecord(
            source=source,
            origin=origin,
            encoder=encoder.id,
            encoder_fingerprint=encoder.fingerprint,
            identity=self._towers.identity,
            count=count,
            pseudo_count=pseudo_count,
            loss="siglip" if siglip else "infonce",
            scale=encoder.scale,
            bias=loss.bias if isinstance(loss, SigLIP) else 0.0,
            prompts=tuple(self._prompts),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _sample(self, images: Sequence[ImageInfo]) -> list[ImageInfo]:
        """At most MAX_POOL of them, in a drawn order: the first of it are what texts are contrasted with."""
        generator = torch.Generator().manual_seed(derive_seed(self._project.config.seed, "posterior", 0))
        order = torch.randperm(len(images), generator=generator)[:MAX_POOL]
        return [images[i] for i in order.tolist()]

    def _items(self, images: Sequence[ImageInfo]) -> list[tuple[str, Path]]:
        root = Path(self._project.config.image_root or "")
        return [(image.content_hash, root / image.path) for image in images]


def estimator_of(workspace: Workspace, project: Project) -> Estimator:
    """For a project whose images are embedded; UserError where they are not."""
    vectors = ProjectVectors(workspace, project)
    towers = Towers(workspace, project, vectors)
    return Estimator(project, vectors, towers, towers.prompts())


def likelihood_of(record: PosteriorRecord) -> Likelihood:
    """The loss that a posterior was made with."""
    return SigLIP(record.scale, record.bias) if record.loss == "siglip" else InfoNCE(record.scale)


def _residual(projection: Projection, a: Tensor, z: Tensor) -> Tensor:
    """What the tower added behind its layer, `z − W a − b`; rounding of stored vectors is in it too."""
    return z - projection.apply(a)


def _width(projection: Projection) -> int:
    """P without the bias."""
    return projection.weight.shape[1]


def _step(progress: Report | None, done: int, message: str) -> None:
    if progress is not None:
        progress(done, 3, message)
