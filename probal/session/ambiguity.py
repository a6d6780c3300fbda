"""ProbVLM in the loop of one project: where its model lies, and what it says of the images.

Shapes use the glossary of `probal.types`. A model belongs to the vectors it was trained on: with another encoder the
project has none until it is trained again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor

from probal.acquisition import AcquisitionState
from probal.errors import UserError
from probal.probvlm import ProbVLM, acquisition_score, ambiguity_threshold, load
from probal.random import torch_generator
from probal.session.vectors import ProjectVectors
from probal.types import ImageInfo, NewProposal, Project
from probal.workspace import Workspace

STRATEGY = "probvlm"
"""The only strategy that pays for the epistemic part."""
SETTING = "probvlm"
CHUNK = 4096
_QUANTILES = np.linspace(0, 100, 101)


@dataclass(frozen=True)
class Training:
    """How a project's ProbVLM came to be; kept with the project as JSON."""

    file: str
    """Relative to the workspace."""
    encoder: str
    """Fingerprint of the encoder whose vectors it reads."""
    labels: int
    """Pairs of a labeled image and its class's prompt."""
    captions: int
    """Pairs of an image and a caption of the user's."""
    texts: int
    """Different texts among them."""
    epoch: int
    """The one that held-out likelihood and calibration chose, from 1."""
    nll: float
    """Held out, nats per dimension."""
    calibration_error: float
    """Held out: mean gap between the level of an interval and its coverage."""
    held_out: int
    """Pairs that were not trained on."""
    quantiles: tuple[float, ...]
    """Percentiles 0 to 100 of the ambiguity over the pool when it was trained, [101]."""


@dataclass(frozen=True, eq=False)
class ProjectProbVLM:
    """A project's model with its scale."""

    model: ProbVLM
    training: Training

    def ambiguity(self, x: Tensor) -> Tensor:
        """Aleatoric variance of unit rows x [N,D], mean over D, [N]."""
        return ambiguity_of(self.model, x)

    def percentile(self, ambiguity: Tensor) -> Tensor:
        """Where it lies among the pool's images, [N] in 0 to 100."""
        scale = np.array(self.training.quantiles)
        found = np.interp(ambiguity.double().numpy(), scale, _QUANTILES)
        return torch.from_numpy(np.asarray(found))

    def score(self, x: Tensor) -> Tensor:
        """What a label could teach about each of x [N,D], `acquisition_score`, [N] nats."""
        parts = [
            # the same networks for every chunk: an image's score does not depend on where it stands
            acquisition_score(self.model.embed_images(rows, torch_generator(SETTING, "networks")))
            for rows in x.split(CHUNK)
        ]
        return torch.cat(parts)


def ambiguity_of(model: ProbVLM, x: Tensor) -> Tensor:
    """Aleatoric variance of rows x [N,D], mean over D, [N]; in bounded memory."""
    return torch.cat([model.image_density(rows).variance().mean(1) for rows in x.split(CHUNK)])


def percentiles(ambiguity: Tensor) -> tuple[float, ...]:
    """The scale that a :class:`Training` keeps, from the ambiguity of the pool [N]."""
    return tuple(np.percentile(ambiguity.double().numpy(), _QUANTILES).tolist())


def project_probvlm(workspace: Workspace, project: Project, encoder: str) -> ProjectProbVLM | None:
    """The project's model for the vectors of the `encoder` of that fingerprint, None where none is trained."""
    training = _training(workspace, project)
    if training is None or training.encoder != encoder:
        return None
    path = workspace.path / training.file
    # a workspace moved without its snapshots has the setting and not the file
    return ProjectProbVLM(load(path), training) if path.is_file() else None


def trained_probvlm(vectors: ProjectVectors, workspace: Workspace, project: Project) -> ProjectProbVLM:
    """The same; UserError saying how to train one where there is none."""
    found = project_probvlm(workspace, project, vectors.space.fingerprint)
    if found is None:
        other = _training(workspace, project) is not None
        why = "belongs to other vectors or its file is gone" if other else "is not there yet"
        raise UserError(f"the ProbVLM of '{project.name}' {why}; run: probal probvlm train {project.name}")
    return found


def save_probvlm(workspace: Workspace, project: Project, model: ProbVLM, training: Training) -> None:
    """Write the model's file, then point the project to it, then drop the older ones."""
    path = workspace.path / training.file
    model.save(path)
    workspace.store.set_setting(project.id, SETTING, asdict(training))
    for old in path.parent.glob("probvlm-*.safetensors"):
        if old != path:
            old.unlink()


def with_score(found: ProjectProbVLM | None, state: AcquisitionState, strategy: str) -> AcquisitionState:
    """The state with ProbVLM's score of its candidates where the strategy asks for it and a model is there."""
    if found is None or strategy != STRATEGY:
        return state
    score = torch.zeros(len(state.embeddings))
    score[state.candidates] = found.score(state.embeddings[state.candidates])
    return replace(state, probvlm_score=score)


def with_ambiguity(
    found: ProjectProbVLM | None, proposals: Sequence[NewProposal], x: Tensor
) -> list[NewProposal]:
    """The proposals, each reason with the ambiguity of its image; x [B,D] are their unit rows."""
    if found is None or not proposals:
        return list(proposals)
    ambiguity = found.ambiguity(x)
    values = zip(proposals, ambiguity.tolist(), found.percentile(ambiguity).tolist(), strict=True)
    return [
        replace(each, reason=replace(each.reason, ambiguity=value, ambiguity_percentile=percentile))
        for each, value, percentile in values
    ]


@dataclass(frozen=True)
class ImageAmbiguity:
    """One image of the pool."""

    image: ImageInfo
    ambiguity: float
    """Aleatoric variance, mean over D."""
    percentile: float
    """Among the pool's images, 0 to 100."""
    flagged: bool
    """More ambiguous than held-out images are with probability `share`."""


def ambiguous_images(workspace: Workspace, project: Project, share: float) -> list[ImageAmbiguity]:
    """The pool's images, the most ambiguous first; audit images are not among them, they stay blind.

    `share` in (0, 1) is the share of images like the training ones that a flag may take
    (`probal.probvlm.ambiguity_threshold`). UserError where no model is trained.
    """
    vectors = ProjectVectors(workspace, project)
    found = trained_probvlm(vectors, workspace, project)
    threshold = ambiguity_threshold(found.model, share)
    images, x = vectors.pool()
    ambiguity = found.ambiguity(x)
    percentile = found.percentile(ambiguity).tolist()
    return [
        ImageAmbiguity(images[i], float(ambiguity[i]), percentile[i], bool(ambiguity[i] > threshold))
        for i in ambiguity.argsort(descending=True, stable=True).tolist()
    ]


def _training(workspace: Workspace, project: Project) -> Training | None:
    found = workspace.store.get_setting(project.id, SETTING)
    return None if found is None else Training(**{**found, "quantiles": tuple(found["quantiles"])})
