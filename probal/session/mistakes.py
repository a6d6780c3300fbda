"""Which labels of a project are likely wrong, by a model fitted without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from probal.acquisition import uncertainty
from probal.adapters import load_adapter
from probal.evaluation import suspicious_labels
from probal.random import derive_seed
from probal.session.vectors import ProjectVectors
from probal.types import ImageInfo, Role

if TYPE_CHECKING:
    from probal.session.loop import Predictions, Session

FOLDS = 5


@dataclass(frozen=True)
class Suspect:
    """A label that a model fitted without it doubts."""

    image: ImageInfo
    class_id: int
    """As labeled."""
    suggested: int
    """Class id that the model holds likeliest."""
    probability: float
    """Of the class as labeled."""


def check_labels(session: Session) -> tuple[Suspect, ...]:
    """The suspects, the most suspicious first.

    Pool labels are checked by 5-fold cross-validation, audit labels by the model, which never saw them.
    """
    said = session.predict(Role.AUDIT)  # first, since it takes the classes as they are now
    classes = [each.id for each in session.classes]
    rows, labels, probs = _judged(session, said)
    doubted = suspicious_labels(probs, labels) if rows else np.zeros(0, np.int64)
    return tuple(
        Suspect(rows[i], classes[labels[i]], classes[int(probs[i].argmax())], float(probs[i, labels[i]]))
        for i in doubted.tolist()
    )


def _judged(session: Session, said: Predictions) -> tuple[list[ImageInfo], np.ndarray, np.ndarray]:
    """Labeled pool and audit images [n], their classes [n] by position, out-of-sample probabilities [n,C].

    `said` is of the audit, by a model of the session's classes.
    """
    position = {each.id: i for i, each in enumerate(session.classes)}
    labels = session.store.current_labels(session.project.id)
    given = {  # in the order of the labels, as a fit wants them
        label.image_id: position[label.class_id]
        for label in sorted(labels, key=lambda each: each.event_row)
        if label.class_id in position
    }
    vectors = ProjectVectors(session.workspace, session.project)
    readable = {image.id: image for image in vectors.images(Role.POOL)}
    pool = [readable[image_id] for image_id in given if image_id in readable]
    seen = [i for i, image in enumerate(said.images) if image.id in given]
    audit = [said.images[i] for i in seen]
    probs = np.zeros((len(pool) + len(audit), len(position)))
    if pool:
        space = vectors.space_of(session.classes, session.project.config.template)
        x, y = vectors.read(pool), torch.tensor([given[image.id] for image in pool])
        adapter = load_adapter(session.project.config.adapter, space.scale)
        rng = np.random.default_rng(derive_seed(session.project.config.seed, "folds"))
        fold = torch.tensor(rng.permutation(len(pool)) % FOLDS)
        for k in range(FOLDS):
            out = fold == k
            if bool(out.any()):
                posterior = adapter.fit(x[~out], y[~out], space.prior())
                found = uncertainty(posterior.logits(x[out])).predictive
                probs[torch.nonzero(out)[:, 0].numpy()] = found.numpy()
    probs[len(pool) :] = said.probabilities[seen]
    images = [*pool, *audit]
    return images, np.array([given[image.id] for image in images], np.int64), probs
