"""Which labels of a project are likely wrong: what a model fitted without them says, and what people said twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from probal.acquisition import uncertainty
from probal.adapters import load_adapter
from probal.evaluation import (
    Agreement,
    OddAnnotator,
    class_agreement,
    odd_annotators,
    repeat_agreement,
    suspicious_labels,
)
from probal.random import derive_seed
from probal.session.vectors import ProjectVectors
from probal.store import REFERENCE
from probal.types import EventKind, ImageInfo, Role

if TYPE_CHECKING:
    from probal.session.loop import Predictions, Session

FOLDS = 5
_LABELS = {EventKind.LABEL, EventKind.CONFIRM, EventKind.ADJUDICATE}


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


@dataclass(frozen=True)
class LabelCheck:
    """What is doubtful about a project's labels; class ids as in the store."""

    suspects: tuple[Suspect, ...]
    """Most suspicious first."""
    repeats: Mapping[int | None, Agreement]
    """Of images that one person answered twice: overall under None, and by the class of the first answer."""
    classes: Mapping[int, Agreement]
    """Of images that several people answered: by class, on how many all agree."""
    annotators: tuple[OddAnnotator, ...]


def check_labels(session: Session) -> LabelCheck:
    """Check pool labels by 5-fold cross-validation and audit labels by the model, which never saw them."""
    said = session.predict(Role.AUDIT)  # first, since it takes the classes as they are now
    classes = [each.id for each in session.classes]
    rows, labels, probs = _judged(session, said)
    doubted = suspicious_labels(probs, labels) if rows else np.zeros(0, np.int64)
    suspects = tuple(
        Suspect(rows[i], classes[labels[i]], classes[int(probs[i].argmax())], float(probs[i, labels[i]]))
        for i in doubted.tolist()
    )
    answers, first, second = _answers(session)
    return LabelCheck(
        suspects, repeat_agreement(first, second), class_agreement(answers), tuple(odd_annotators(answers))
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


def _answers(session: Session) -> tuple[list[tuple[str, int, int]], list[int], list[int]]:
    """The last answer of each person to each image, and first and last answers of those who gave two."""
    given: dict[tuple[str, int], list[int]] = {}
    for stored in session.store.events(session.project.id):
        event = stored.event
        if not stored.active or event.kind not in _LABELS or event.annotator == REFERENCE:
            continue
        if event.image_id is not None and event.class_id is not None:
            given.setdefault((event.annotator, event.image_id), []).append(event.class_id)
    answers = [(who, image, said[-1]) for (who, image), said in given.items()]
    twice = [said for said in given.values() if len(said) > 1]
    return answers, [said[0] for said in twice], [said[-1] for said in twice]
