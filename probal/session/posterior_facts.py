"""What a project's posterior is made from and what it changes: the numbers behind `probal posterior show`.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from probal.acquisition import uncertainty
from probal.gaussian import GaussianEmbedding
from probal.posterior import TowerPosterior
from probal.session import posterior_files
from probal.session.engine import Engine
from probal.session.posterior_files import PosteriorRecord
from probal.session.vectors import ProjectVectors
from probal.types import Project, Role
from probal.workspace import Workspace

LOOKED_AT = 2000
"""Pool images that the two models are compared on, the first by id."""
_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class TowerFacts:
    """One tower in numbers."""

    prior_precision: float
    """λ."""
    tau: float
    damping: str
    columns: int
    """P, and one more for a bias."""
    width: int
    """D."""
    uncertain: int
    """Output directions in which W is uncertain, R ≤ D."""
    count: float
    """What the curvature counts, pseudo-count and labels included."""
    noise: tuple[float, ...]
    """Noise over signal, `tr Cov(z) / |E z|²`, of the project's images or class texts: 10, 50, 90 % quantiles."""


@dataclass(frozen=True)
class Effect:
    """The model with the posterior beside the plain one: both of the labels so far, on the same pool images."""

    images: int
    changed: int
    """Images whose likeliest class is another."""
    confidence: tuple[float, float]
    """Mean probability of the likeliest class: plain, with the posterior."""
    epistemic: tuple[float, float]
    """Mean epistemic uncertainty in nats: plain, with the posterior."""


@dataclass(frozen=True)
class PosteriorFacts:
    record: PosteriorRecord
    on: bool
    image: TowerFacts
    text: TowerFacts
    labels: int
    """Labeled images whose own curvature is in the image tower."""
    effect: Effect
    prompts_changed: bool
    """Classes or prompts are not those that it was made with."""
    rounds: tuple[int, ...]
    """Rounds that were proposed with it."""


def describe(workspace: Workspace, project: Project) -> PosteriorFacts:
    """The project's posterior, in use or not. UserError where there is none, or nothing is embedded yet."""
    posterior_id = posterior_files.required(workspace, project)
    vectors = ProjectVectors(workspace, project)
    engine = Engine(workspace, project, vectors)
    plain, fit = engine.fit_with(None), engine.fit_with(posterior_id)
    towers = engine.posterior(posterior_id)
    assert fit.tower is not None
    images = vectors.images(Role.POOL)[:LOOKED_AT]
    before, after = (uncertainty(engine.logits(each, images)) for each in (plain, fit))
    changed = before.predictive.argmax(1) != after.predictive.argmax(1)
    rounds = workspace.store.rounds(project.id)
    return PosteriorFacts(
        record=towers.record,
        on=posterior_files.in_use(workspace, project) == posterior_id,
        image=_tower(fit.tower, engine.noisy(fit, images).gaussian),
        text=_tower(towers.text, engine.texts(towers)),
        labels=len(fit.tower.counted),
        effect=Effect(
            len(images),
            int(changed.sum()),
            (float(before.predictive.amax(1).mean()), float(after.predictive.amax(1).mean())),
            (float(before.epistemic.mean()), float(after.epistemic.mean())),
        ),
        prompts_changed=tuple(engine.towers.prompts()) != towers.record.prompts,
        rounds=tuple(each.index for each in rounds if each.config.get("posterior") == posterior_id),
    )


def _tower(tower: TowerPosterior, rows: GaussianEmbedding) -> TowerFacts:
    signal = rows.mean.double().square().sum(1)  # [N]
    noise = rows.second_moment().double() - signal
    ratio = (noise / signal)[signal > 0].clamp_min(0)
    levels = torch.tensor(_QUANTILES, dtype=torch.float64)
    precision = tower.precision
    return TowerFacts(
        precision.prior_precision,
        precision.tau,
        str(precision.damping),
        tower.projection.columns,
        tower.projection.width,
        len(precision.beta),
        tower.curvature.count,
        tuple(torch.quantile(ratio, levels).tolist()),
    )
