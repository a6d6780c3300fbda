"""What the worker does for the Engine and Finish pages: jobs with parameters, and what they are told of."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from probal import orders
from probal.finish_plan import evidence_path
from probal.label_import.captions import read_pairs_file
from probal.posterior import Damping
from probal.session import posterior_files
from probal.session.estimate import estimator_of
from probal.session.finish import evidence
from probal.session.posterior_facts import describe
from probal.session.prepare import Report
from probal.session.probvlm_training import train_probvlm
from probal.session.target import Aim
from probal.session.text_pairs import caption_pairs
from probal.types import JobKind, Role

if TYPE_CHECKING:
    from probal.session.loop import Session
    from probal.session.posterior_files import ProjectPosterior

SHOWN = 12
"""Images at each end of the ambiguity that a page shows."""


def standing_aim(session: Session, progress: Report | None = None) -> Aim | None:
    """The target that the project's rounds are aimed at; None for none. UserError where it is gone."""
    where = orders.aim(session.store, session.project)
    return None if where is None else session.aim(where, progress=progress)


def fulfil(session: Session, kind: JobKind, progress: Report) -> None:
    """Do a job of a kind that neither prepares nor refits; UserError where it cannot be done."""
    if kind is JobKind.FINISH:
        progress(0, 1, "Asking the model about every image")
        evidence(session).save(evidence_path(session.workspace, session.project))
    elif kind is JobKind.PROBVLM:
        file = orders.captions_file(session.store, session.project)
        captions = read_pairs_file(file) if file is not None else []
        found, left_out = train_probvlm(session.workspace, session.project, captions, progress)
        gain = {"file": found.training.file, "left_out": left_out, **probvlm_gain(session)}
        session.store.set_setting(session.project.id, orders.PROBVLM_GAIN, gain)
    elif kind is JobKind.POSTERIOR:
        _make_posterior(session, orders.posterior_order(session.store, session.project), progress)
    else:
        raise ValueError(f"no such order: {kind}")


def probvlm_gain(session: Session) -> dict[str, Any]:
    """What ProbVLM sees that the model's own uncertainty does not, over the pool; audit images stay blind.

    `correlation` is Spearman's between ambiguity and predictive entropy; `most` and `least` are content hashes.
    """
    from probal.session.ambiguity import ambiguous_images

    found = ambiguous_images(session.workspace, session.project, 0.1)
    predicted = session.predict(Role.POOL)
    entropy = {image.id: float(h) for image, h in zip(predicted.images, predicted.total, strict=True)}
    ambiguity = np.array([each.ambiguity for each in found])
    return {
        "images": len(found),
        "flagged": sum(each.flagged for each in found),
        "correlation": spearman(ambiguity, np.array([entropy[each.image.id] for each in found])),
        "most": [each.image.content_hash for each in found[:SHOWN]],
        "least": [each.image.content_hash for each in found[::-1][:SHOWN]],
    }


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation of a [N] and b [N], ties by their mean rank; 0 where either is constant."""
    ranks = []
    for each in (a, b):
        _, where, counts = np.unique(each, return_inverse=True, return_counts=True)
        rank = (np.cumsum(counts) - (counts + 1) / 2)[where]
        ranks.append(rank - rank.mean())
    scale = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return 0.0 if scale == 0 else float(ranks[0] @ ranks[1]) / scale


def _make_posterior(session: Session, order: orders.PosteriorOrder, progress: Report) -> None:
    workspace, project = session.workspace, session.project
    damping = Damping(order.damping)
    made: ProjectPosterior
    if order.source == "pairs":
        file = Path(order.path or "").expanduser()
        known, _ = caption_pairs(workspace.store, project, read_pairs_file(file))
        made = estimator_of(workspace, project).pairs(known, file, damping, progress)
    elif order.source == "published":
        progress(0, 0, "Reading the published factors")
        made = estimator_of(workspace, project).published(Path(order.path or "").expanduser(), damping)
    else:
        progress(0, 0, "Loading the encoder")
        made = estimator_of(workspace, project).label_free(damping, order.pseudo_count, progress)
    record = posterior_files.save(workspace, project, made)
    # kept and not used: what it changes is shown first
    posterior_files.switch(workspace, project, False)
    progress(0, 0, "Comparing with the plain model")
    effect = describe(workspace, project).effect
    facts = {"id": record.id, "source": record.source, "count": record.count, **asdict(effect)}
    workspace.store.set_setting(project.id, orders.POSTERIOR_FACTS, facts)
