"""The model of a project: fitted on the labels so far, with or without BayesVLM's posterior of the two towers.

Shapes use the glossary of `probal.types`. With a posterior the text tower's variance is the prior of the adapter and
the image tower's is the noise of every image; the labels' own curvature enters the image tower, each image once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probal.acquisition import AcquisitionState, Target
from probal.acquisition.joint import JointSampler
from probal.adapters import AdapterPosterior, fingerprint, load_adapter
from probal.errors import UserError
from probal.gaussian import GaussianEmbedding, GaussianLogits
from probal.posterior import TowerPosterior
from probal.session import posterior_files
from probal.session.estimate import likelihood_of
from probal.session.posterior_files import PosteriorRecord, ProjectPosterior
from probal.session.rows import NoisyRows, joint_sampler
from probal.session.standing import labeled_rows, standing
from probal.session.target import Aim, near_target
from probal.session.towers import Towers
from probal.session.vectors import ProjectVectors
from probal.session.warm_start import start_of
from probal.types import ClassInfo, ImageInfo, Project, Role
from probal.workspace import Workspace


@dataclass(frozen=True)
class Fit:
    """The model after the events up to `watermark`."""

    posterior: AdapterPosterior
    prior: GaussianEmbedding  # C classes
    fingerprint: str
    watermark: int
    n_train: int
    n_labels: int
    seconds: float
    bayesvlm: PosteriorRecord | None = None
    """What the towers' posterior is made from; None for the plain model."""
    tower: TowerPosterior | None = None
    """The image tower's, with the labels' curvature; None for the plain model."""

    @property
    def posterior_id(self) -> str | None:
        """Of the towers' posterior."""
        return None if self.bayesvlm is None else self.bayesvlm.id

    def facts(self) -> dict[str, float | str]:
        """For the round's record."""
        if self.bayesvlm is None or self.tower is None:
            return {}
        return {
            "posterior": self.bayesvlm.id,
            "posterior_labels": len(self.tower.counted),
            "posterior_prior_precision": self.tower.precision.prior_precision,
        }


@dataclass(frozen=True, eq=False)
class Candidates:
    """A state with the images that its rows are, and the ids that were out for labeling."""

    state: AcquisitionState
    images: list[ImageInfo]
    pending: list[int]
    facts: Mapping[str, Any]
    """Of the target for the round's record; empty without one."""


class Engine:
    """Fits a project's model and asks it; keeps the last fit until labels, classes or the posterior change."""

    def __init__(self, workspace: Workspace, project: Project, vectors: ProjectVectors) -> None:
        self._workspace = workspace
        self._project = project
        self._vectors = vectors
        self.towers = Towers(workspace, project, vectors)
        self._fitted: Fit | None = None
        self._seen: tuple[ClassInfo, ...] = ()
        self._loaded: ProjectPosterior | None = None

    def forget(self) -> None:
        """Fit anew at the next call: the images have changed."""
        self._fitted = None

    def fit(self) -> Fit:
        """The model of the labels so far, with the posterior that is in use."""
        store = self._workspace.store
        watermark = store.watermark(self._project.id)
        used = posterior_files.in_use(self._workspace, self._project)
        # archived ones too: a merge moves labels of theirs
        classes = tuple(store.classes(self._project.id, archived=True))
        last = self._fitted
        if last is None or (last.watermark, last.posterior_id) != (watermark, used) or classes != self._seen:
            self._vectors.refresh()
            last = self.fit_with(used)
            self._fitted, self._seen = last, classes
        return last

    def fit_with(self, posterior_id: str | None) -> Fit:
        """The model of the labels so far with the posterior of that id; None for the plain one."""
        store = self._workspace.store
        watermark = store.watermark(self._project.id)
        images, x = self._vectors.pool()
        classes = self._vectors.classes
        rows, y = labeled_rows(store, self._project, images, classes, watermark)
        space = self._vectors.space
        started = time.perf_counter()
        towers = None if posterior_id is None else self.posterior(posterior_id)
        prior = space.prior() if towers is None else self._prior(towers)
        class_ids = [each.id for each in classes]
        start = start_of(
            self._workspace, self._project, watermark, space.fingerprint, posterior_id, class_ids
        )
        posterior = load_adapter(self._project.config.adapter, space.scale).fit(x[rows], y, prior, start)
        made = Fit(
            posterior,
            prior,
            fingerprint(posterior),
            watermark,
            len(rows),
            len(rows) + len(store.current_labels(self._project.id, Role.AUDIT, watermark)),
            0.0,
        )
        if towers is not None:
            tower = self._updated(towers, [images[i] for i in rows.tolist()])
            made = replace(made, bayesvlm=towers.record, tower=tower)
        return replace(made, seconds=time.perf_counter() - started)

    def logits(self, fit: Fit, images: Sequence[ImageInfo]) -> GaussianLogits:
        """Logits [N,C] of the project's images, their tower's noise in it where there is a posterior."""
        if fit.tower is None:
            return fit.posterior.logits(self._vectors.read(images))
        return fit.posterior.logits(self.noisy(fit, images).gaussian)

    def noisy(self, fit: Fit, images: Sequence[ImageInfo]) -> NoisyRows:
        """The project's images with the noise of the fit's image tower, which it must have."""
        return self._noisy(fit, self._files(images))

    def candidates(
        self, fit: Fit, aim: Aim | None = None, wanted: int = 1, fitted_after: int | None = None
    ) -> Candidates:
        """The pool as the fit's labels leave it.

        Aimed at a target, of the free images only `wanted` or more of its neighbours. `fitted_after` is the state's.
        """
        images, x = self._vectors.pool()
        store = self._workspace.store
        stand = standing(store, self._project, images, self._vectors.classes, fit.watermark)
        noisy = None if fit.tower is None else self.noisy(fit, images)
        facts: dict[str, Any] = {}
        target = None
        theirs: NoisyRows | None = None
        if aim is not None:
            target, theirs = self._target(fit, aim)
            gaussian = GaussianEmbedding(x) if noisy is None else noisy.normalized()
            about = GaussianEmbedding(target.embeddings) if theirs is None else theirs.normalized()
            free = torch.ones(len(images), dtype=torch.bool)
            free[stand.taken()] = False
            near, k = near_target(gaussian, about, torch.nonzero(free)[:, 0], aim, wanted)
            facts = {"target": {**aim.facts(), "neighbours_used": k, "candidates": len(near)}}
            keep = torch.cat([near, stand.taken()]).unique()
            images = [images[i] for i in keep.tolist()]
            x, noisy = x[keep], None if noisy is None else noisy.rows(keep)
            stand = stand.among(keep)
        posterior = fit.posterior
        joint: JointSampler = posterior.joint
        numbers = None
        if fit.tower is None or noisy is None:
            logits = posterior.logits(x)
        else:
            joint = joint_sampler(posterior, fit.tower, [noisy] if theirs is None else [noisy, theirs])
            numbers = torch.arange(len(noisy))
            if target is not None and theirs is not None:
                target = replace(target, inputs=len(noisy) + torch.arange(len(theirs)))
            logits = posterior.logits(noisy.gaussian)
        state = AcquisitionState(
            x,
            logits,
            stand.labeled,
            stand.labels,
            stand.pending,
            joint,
            target,
            inputs=numbers,
            fitted_after=fitted_after,
            closed=stand.closed,
            excluded=stand.excluded,
        )
        return Candidates(state, images, stand.pending_ids, facts)

    def _target(self, fit: Fit, aim: Aim) -> tuple[Target, NoisyRows | None]:
        """The target's rows and their predictions; no label of theirs is known here."""
        embeddings = self.towers.embeddings([content_hash for content_hash, _ in aim.items])
        x = torch.nn.functional.normalize(embeddings)
        if fit.tower is None:
            return Target(x, fit.posterior.logits(x)), None
        noisy = self._noisy(fit, aim.items)
        return Target(x, fit.posterior.logits(noisy.gaussian)), noisy

    # -- BayesVLM ----------------------------------------------------------------------------------------

    def posterior(self, posterior_id: str) -> ProjectPosterior:
        """Both towers as they were saved. UserError where they are gone."""
        if self._loaded is None or self._loaded.record.id != posterior_id:
            found = posterior_files.load(self._workspace, self._project, posterior_id)
            if found.record.encoder_fingerprint != self._vectors.space.fingerprint:
                name = self._project.name
                raise UserError(
                    f"the posterior of '{name}' was made for other vectors ({found.record.encoder}); make a new one: "
                    f"probal posterior estimate {name}, or go on without: probal posterior off {name}"
                )
            self._loaded = found
        return self._loaded

    def _prior(self, towers: ProjectPosterior) -> GaussianEmbedding:
        """Unit prototypes with the text tower's variance, [C,D]."""
        plain, texts = self._vectors.space.prior(), self.texts(towers)
        assert texts.leverage is not None
        square = texts.mean.square().sum(1)  # [C]
        size = texts.leverage / square
        known = torch.isfinite(size) & (size > 0)
        # a class without a prototype is as free as the middle one
        size = torch.where(known, size, size[known].median() if bool(known.any()) else torch.ones(()))
        return GaussianEmbedding(plain.mean, leverage=size, shared=texts.shared)

    def texts(self, towers: ProjectPosterior) -> GaussianEmbedding:
        """The classes in use as the text tower gives them, [C,D], not normalized."""
        a, residual = self.towers.texts(self.towers.prompts(), towers.record.identity)
        return towers.text.embed(a, residual)

    def _updated(self, towers: ProjectPosterior, labeled: Sequence[ImageInfo]) -> TowerPosterior:
        """The image tower after the labels so far: always from the saved one, so that no label counts twice."""
        if not labeled:
            return towers.image
        files = self._files(labeled)
        a = self._activations(towers.record, towers.image, files)
        z = self.towers.embeddings([content_hash for content_hash, _ in files])
        seen = torch.nonzero(z.norm(dim=1) > 0)[:, 0]
        ids = torch.tensor([image.id for image in labeled])[seen]
        residual = z[seen] - towers.image.projection.apply(a[seen])
        prototypes = self._vectors.space.prior().mean
        return towers.image.update(ids, a[seen], prototypes, likelihood_of(towers.record), residual)

    def _noisy(self, fit: Fit, files: Sequence[tuple[str, Path]]) -> NoisyRows:
        assert fit.tower is not None
        assert fit.bayesvlm is not None
        embeddings = self.towers.embeddings([content_hash for content_hash, _ in files])
        return NoisyRows.of(fit.tower, embeddings, self._activations(fit.bayesvlm, fit.tower, files))

    def _activations(
        self, record: PosteriorRecord, tower: TowerPosterior, files: Sequence[tuple[str, Path]]
    ) -> Tensor:
        return self.towers.activations(files, tower.projection.weight.shape[1], record.identity)

    def _files(self, images: Sequence[ImageInfo]) -> list[tuple[str, Path]]:
        root = Path(self._project.config.image_root or "")
        return [(image.content_hash, root / image.path) for image in images]
