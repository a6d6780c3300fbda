"""The points of the curve: how good each round's model is on images that no model was fitted on.

Shapes use the glossary of `probal.types`; m held-out images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from probal.adapters import Adapter
from probal.evaluation import (
    PRELIMINARY_BELOW,
    accuracy_interval,
    debiased_ece,
    ece,
    nll,
    reliability,
)
from probal.gaussian import GaussianEmbedding
from probal.session.snapshot import read_held_out
from probal.types import Metric, Role, Round

FOLDS = 5
_CONTROL_MINIMUM = 20


@dataclass(frozen=True)
class HeldOut:
    """Labeled images that measure, in the order of their labels, drawn like the pool's images and never trained on.

    Their accuracy estimates that on new images of the same kind, without a finite-population correction: on the pool
    itself the model is better or worse, since strategies take the hard images or the easy ones out of it and train
    on them. Intervals corrected for the pool's size covered its accuracy in 80 % of replicates (docs/evaluation.md).
    """

    source: Role
    image_ids: np.ndarray  # [m]
    x: Tensor  # [m,D] unit rows
    y: Tensor  # [m]
    class_ids: tuple[int, ...]
    """The classes in use, which y counts."""
    merged: Mapping[int, int]
    """For each class there ever was, the one that it is read as now."""


@dataclass(frozen=True)
class Measured:
    """What the snapshots of a project's rounds say about the held-out images."""

    metrics: list[Metric]
    hits: Mapping[int, np.ndarray]
    """Which held-out images [m] a round calls right, by its index; one that did not predict them all is absent."""


@dataclass(frozen=True)
class _Said:
    """What a round's model says about the held-out images that it predicted.

    C are the classes in use now. One that the round did not know has no probability there, so its images count as
    wrong; where a class was archived since, a last column of id 0 holds what the round gave it.
    """

    probs: np.ndarray  # [m,C]
    y: np.ndarray  # [m]
    known: np.ndarray  # [m] whether the round knew the image's class
    class_ids: np.ndarray  # [C]

    @property
    def called(self) -> np.ndarray:
        """[m], as y."""
        return np.asarray(self.probs.argmax(1))


def measure(
    rounds: Sequence[Round],
    snapshot: Callable[[int], Path],
    held_out: HeldOut,
    adapter: Adapter,
    prior: GaussianEmbedding,
) -> Measured:
    """Accuracy with its 95 % interval, NLL and ECE of each round; audit rounds get the random control too.

    The NLL is over images of classes that the round knew, since one image of another would make it infinite.
    The last round also gets `confusion`, whose detail counts [class id, called class id, images] where there are
    any, and `debiased_ece`, whose detail has the points of `reliability`. With a test set only the last round is
    new. `snapshot` names the file of a round's predictions.
    """
    last = rounds[-1]
    metrics: list[Metric] = []
    hits: dict[int, np.ndarray] = {}
    for each in rounds:
        said = _said(snapshot(each.index), held_out)
        if said is None:
            continue
        if held_out.source is Role.AUDIT or each is last:
            metrics += _of_round(each, said, held_out.source)
        if each is last:
            metrics += _of_last(each, said, held_out.source)
        if len(said.y) == len(held_out.y):
            hits[each.index] = said.called == said.y
    if held_out.source is Role.AUDIT and len(held_out.y) >= _CONTROL_MINIMUM:
        metrics.append(_random_control(last, held_out, adapter, prior))
    return Measured(metrics, hits)


def _said(path: Path, held_out: HeldOut) -> _Said | None:
    """None where the file is gone, or has none of the held-out images."""
    saved = read_held_out(path)
    if saved is None:
        return None
    row = {image_id: i for i, image_id in enumerate(saved.image_ids.tolist())}
    there = [i for i, image_id in enumerate(held_out.image_ids.tolist()) if image_id in row]
    if not there:
        return None
    now = saved.in_classes(held_out.class_ids, held_out.merged)
    probs = now[[row[int(held_out.image_ids[i])] for i in there]]
    class_ids = np.array([*held_out.class_ids, 0])
    if not probs[:, -1].any():
        probs, class_ids = probs[:, :-1], class_ids[:-1]
    y = held_out.y.numpy()[there]
    known = [held_out.merged.get(class_id, class_id) for class_id in saved.class_ids.tolist()]
    return _Said(probs, y, np.isin(class_ids[y], known), class_ids)


def _of_round(of: Round, said: _Said, source: Role) -> list[Metric]:
    probs, y, known = said.probs, said.y, said.known
    correct = int((said.called == y).sum())
    detail = {"source": str(source)}

    def metric(
        name: str, value: float, n: int, low: float | None = None, high: float | None = None
    ) -> Metric:
        return Metric(name, value, low, high, n, of.n_labels, of.index, n < PRELIMINARY_BELOW, detail)

    metrics = [
        metric("accuracy", correct / len(y), len(y), *accuracy_interval(correct, len(y))),
        metric("ece", ece(probs, y), len(y)),
    ]
    if known.any():
        metrics.append(metric("nll", nll(probs[known], y[known]), int(known.sum())))
    return metrics


def _of_last(of: Round, said: _Said, source: Role) -> list[Metric]:
    probs, y, called = said.probs, said.y, said.called
    pairs = Counter(zip(said.class_ids[y].tolist(), said.class_ids[called].tolist(), strict=True))
    counts = [[*pair, n] for pair, n in sorted(pairs.items())]

    def metric(name: str, value: float, detail: dict[str, object]) -> Metric:
        few = len(y) < PRELIMINARY_BELOW
        told = {"source": str(source), **detail}
        return Metric(name, value, None, None, len(y), of.n_labels, of.index, few, told)

    return [
        metric("confusion", float((called != y).mean()), {"counts": counts}),
        metric("debiased_ece", debiased_ece(probs, y), {"bins": [list(b) for b in reliability(probs, y)]}),
    ]


def pool_uncertainty(of: Round, total: np.ndarray, aleatoric: np.ndarray) -> Metric:
    """Mean predictive entropy of the unlabeled pool, nats, from that of its images [N] and the aleatoric part [N]."""
    mean, part = (float(each.mean()) if len(each) else 0.0 for each in (total, aleatoric))
    return Metric(
        "pool_uncertainty", mean, None, None, len(total), of.n_labels, of.index, False, {"aleatoric": part}
    )


def cross_fitted_hits(x: Tensor, y: Tensor, adapter: Adapter, prior: GaussianEmbedding) -> Tensor:
    """Whether each row of x [m,D] is called its class y [m] by an adapter fitted on the other folds, [m] bool."""
    fold = torch.arange(len(y)) % FOLDS  # labels come in random order already
    hits = torch.zeros(len(y), dtype=torch.bool)
    for k in range(FOLDS):
        train = fold != k
        posterior = adapter.fit(x[train], y[train], prior)
        hits[~train] = posterior.logits(x[~train]).mean.argmax(1) == y[~train]
    return hits


def _random_control(last: Round, held_out: HeldOut, adapter: Adapter, prior: GaussianEmbedding) -> Metric:
    """What as many labels drawn at random would have bought, by cross-fitting on the audit labels.

    The audit is a uniform sample: each fold is predicted by an adapter fitted on the others, and the point
    stands at the training folds' label count (design §6).
    """
    m = len(held_out.y)
    correct = int(cross_fitted_hits(held_out.x, held_out.y, adapter, prior).sum())
    low, high = accuracy_interval(correct, m)
    labels = m - m // FOLDS
    return Metric(
        "random_control_accuracy",
        correct / m,
        low,
        high,
        m,
        labels,
        last.index,
        m < PRELIMINARY_BELOW,
        {"source": "audit", "folds": FOLDS},
    )
