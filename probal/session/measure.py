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


def measure(
    rounds: Sequence[Round],
    snapshot: Callable[[int], Path],
    held_out: HeldOut,
    adapter: Adapter,
    prior: GaussianEmbedding,
) -> list[Metric]:
    """Accuracy with its 95 % interval, NLL and ECE of each round; audit rounds get the random control too.

    The NLL is over images of classes that the round knew, since one image of another would make it infinite.
    The last round also gets `confusion`, whose detail counts [class id, called class id, images] where there are
    any, and `debiased_ece`, whose detail has the points of `reliability`. With a test set only the last round is
    new. `snapshot` names the file of a round's predictions.
    """
    todo = rounds[-1:] if held_out.source is Role.TEST else rounds
    metrics = [metric for each in todo for metric in _of_round(each, snapshot(each.index), held_out)]
    metrics += _of_last(rounds[-1], snapshot(rounds[-1].index), held_out)
    if held_out.source is Role.AUDIT and len(held_out.y) >= _CONTROL_MINIMUM:
        metrics.append(_random_control(rounds[-1], held_out, adapter, prior))
    return metrics


def _known(path: Path, held_out: HeldOut) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Probabilities [m,C] of a round for the held-out images it predicted, their y [m], which of these it knew [m],
    and the class ids [C].

    C are the classes in use now. One that the round did not know has no probability there, so its images count as
    wrong; where a class was archived since, a last column of id 0 holds what the round gave it.
    """
    saved = read_held_out(path)
    if saved is None:
        return None
    row = {image_id: i for i, image_id in enumerate(saved.image_ids.tolist())}
    known = [i for i, image_id in enumerate(held_out.image_ids.tolist()) if image_id in row]
    if not known:
        return None
    now = saved.in_classes(held_out.class_ids, held_out.merged)
    probs = now[[row[int(held_out.image_ids[i])] for i in known]]
    class_ids = np.array([*held_out.class_ids, 0])
    if not probs[:, -1].any():
        probs, class_ids = probs[:, :-1], class_ids[:-1]
    y = held_out.y.numpy()[known]
    listed = [held_out.merged.get(class_id, class_id) for class_id in saved.class_ids.tolist()]
    return probs, y, np.isin(class_ids[y], listed), class_ids


def _of_round(of: Round, path: Path, held_out: HeldOut) -> list[Metric]:
    found = _known(path, held_out)
    if found is None:
        return []
    probs, y, listed, _ = found
    correct = int((probs.argmax(1) == y).sum())
    detail = {"source": str(held_out.source)}

    def metric(
        name: str, value: float, n: int, low: float | None = None, high: float | None = None
    ) -> Metric:
        return Metric(name, value, low, high, n, of.n_labels, of.index, n < PRELIMINARY_BELOW, detail)

    metrics = [
        metric("accuracy", correct / len(y), len(y), *accuracy_interval(correct, len(y))),
        metric("ece", ece(probs, y), len(y)),
    ]
    if listed.any():
        metrics.append(metric("nll", nll(probs[listed], y[listed]), int(listed.sum())))
    return metrics


def _of_last(of: Round, path: Path, held_out: HeldOut) -> list[Metric]:
    found = _known(path, held_out)
    if found is None:
        return []
    probs, y, _, class_ids = found
    called = probs.argmax(1)
    pairs = Counter(zip(class_ids[y].tolist(), class_ids[called].tolist(), strict=True))
    counts = [[*pair, n] for pair, n in sorted(pairs.items())]
    source = str(held_out.source)

    def metric(name: str, value: float, detail: dict[str, object]) -> Metric:
        few = len(y) < PRELIMINARY_BELOW
        told = {"source": source, **detail}
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
